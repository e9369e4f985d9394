import LoadGenerator
import Testing

@Suite("Options, statistics and accounting")
struct ValueTests {
    @Test(
        "sizes are read with their units",
        arguments: [
            ("4096", 4_096), ("64KiB", 65_536), ("64k", 65_536), ("1.5MB", 1_500_000), ("1GiB", 1 << 30),
            ("2 gb", 2_000_000_000),
        ]
    )
    func sizes(text: String, bytes: Int) { #expect(ByteCount(text: text)?.bytes == bytes) }

    @Test("what is no size, time or mix is refused", arguments: ["", "x", "-1", "1XB", "1e9", "9999999TiB", "get=0"])
    func refused(text: String) {
        #expect(ByteCount(text: text) == nil)
        #expect(Mix(text: text) == nil)
        #expect(TimeSpan(text: "\(text)?") == nil)
    }

    @Test(
        "endpoints",
        arguments: [
            ("http://h:1", "h:1"), ("127.0.0.1:9000/", "127.0.0.1:9000"), ("http://[::1]:5", "[::1]:5"), ("h", "h:80"),
        ]
    )
    func endpoints(text: String, authority: String) { #expect(Endpoint(text: text)?.authority == authority) }

    @Test(
        "an endpoint that is not plain HTTP is refused",
        arguments: ["https://h", "http://", "h:0", "h:99999", "h/b"]
    )
    func noEndpoint(text: String) { #expect(Endpoint(text: text) == nil) }

    @Test("quantiles are right within 1.6 %, the maximum exactly")
    func histogram() {
        var histogram = LatencyHistogram()
        for value in 1...100_000 { histogram.record(UInt64(value) * 1_000) }
        for (quantile, expected) in [(0.5, 50_000_000.0), (0.9, 90_000_000.0), (0.99, 99_000_000.0)] {
            #expect(abs(Double(histogram.quantile(quantile)) / expected - 1) < 0.016)
        }
        #expect(histogram.maximum == 100_000_000)
        #expect(histogram.quantile(1) == 100_000_000)
        #expect(LatencyHistogram().quantile(0.5) == 0)
        var small = LatencyHistogram()
        for value in [0, 1, 127, 128, UInt64.max] { small.record(value) }
        #expect(small.quantile(0.6) == 127)
    }

    @Test("the CPU time of a process is found behind a name with blanks and parentheses")
    func processes() {
        let stat = "42 (a) b (c) S 1 42 42 0 -1 4194560 1 2 3 4 150 70 5 6 20 0 1"
        #expect(ProcessUsage.cpuTicks(stat) == 220)
        #expect(ProcessUsage.cpuTicks("42 (x) S 1") == nil)
        #expect(ProcessUsage.kibibytes("VmHWM", "VmPeak:\t 9 kB\nVmHWM:\t    1234 kB\nVmRSS: 5 kB") == 1_234)
    }

    @Test("a request is signed as in AWS's own example (GET Bucket Lifecycle)")
    func signature() {
        let credentials = Credentials(
            accessKey: "AKIAIOSFODNN7EXAMPLE",
            secretKey: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
            region: "us-east-1"
        )
        // 2013-05-24T00:00:00Z.
        var signer = RequestSigner(
            credentials: credentials,
            host: "examplebucket.s3.amazonaws.com",
            clock: { 1_369_353_600 }
        )
        let request = UnsignedRequest(
            method: "GET",
            path: "/",
            query: "lifecycle=",
            payloadHash: RequestSigner.emptyPayload
        )
        let head = String(decoding: signer.head(request), as: UTF8.self)
        #expect(head.contains("Signature=fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543\r\n"))
        #expect(head.hasPrefix("GET /?lifecycle= HTTP/1.1\r\nhost:examplebucket.s3.amazonaws.com\r\n"))
        #expect(head.hasSuffix("\r\n\r\n"))
    }
}

@Suite("Sharing the parts of an object")
struct MultipartQueueTests {
    @Test("each part goes out once, one object after the other, and the end is seen by all")
    func order() {
        var queue = MultipartQueue(partCount: 2, firstObject: 7, objectLimit: 2)
        #expect(queue.next() == .create(object: 7))
        #expect(queue.next() == nil)
        queue.created(object: 7, id: "u")
        #expect(queue.next() == .part(object: 7, upload: "u", number: 1))
        #expect(queue.next() == .part(object: 7, upload: "u", number: 2))
        #expect(queue.next() == .create(object: 8))
        queue.stored(object: 7, number: 2, entityTag: "b")
        queue.stored(object: 7, number: 1, entityTag: "a")
        #expect(queue.next() == .complete(object: 7, upload: "u", entityTags: ["a", "b"]))
        queue.created(object: 8, id: nil)
        #expect(queue.next() == .stop)
        #expect(queue.endObject == 9)
    }

    @Test("after a stop only what is whole is completed, and the rest can be aborted")
    func stop() {
        var queue = MultipartQueue(partCount: 1, firstObject: 0, objectLimit: nil)
        #expect(queue.next() == .create(object: 0))
        queue.created(object: 0, id: "x")
        _ = queue.next()
        #expect(queue.next() == .create(object: 1))
        queue.created(object: 1, id: "y")
        queue.stop()
        queue.stored(object: 0, number: 1, entityTag: "t")
        #expect(queue.next() == .complete(object: 0, upload: "x", entityTags: ["t"]))
        #expect(queue.next() == .stop)
        #expect(queue.open.map(\.id) == ["y"])
        #expect(queue.giveUp(object: 1) == "y")
        #expect(queue.giveUp(object: 1) == nil)
    }
}
