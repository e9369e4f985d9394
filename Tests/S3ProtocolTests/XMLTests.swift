import Checksums
import ObjectModel
import S3Protocol
import TestKit
import Testing

@Suite("XML: strict reader, escaping writer")
struct XMLTests {
    static func parse(_ text: String) throws(XMLError) -> XMLElement { try XMLElement.document(Array(text.utf8)) }

    @Test("Elements, entities, CDATA, comments, prefixes and attributes")
    func accepted() throws {
        let element = try Self.parse(
            "\u{FEFF}<?xml version=\"1.0\"?><!-- c --> <s:a xmlns:s='u' b=\"c>d\">"
                + "<K>a&amp;&lt;&#x41;&#66;<![CDATA[<&]]></K><E/>"
                + "<!-- > --></s:a>\n"
        )
        #expect(element.name == "a" && element.children.map(\.name) == ["K", "E"])
        #expect(element.children[0].text == "a&<AB<&")
        #expect(try Self.parse("<a> </a>").text == " ")
    }

    @Test(
        "What is not well-formed, or not wanted, is refused",
        arguments: [
            "", "x", "<a>", "<a></b>", "<a/><b/>", "<a/>x", "</a>", "<a", "<a b>", "<a b=c/>", "<a b='<'/>",
            "<a b=''c=''/>",
            "<!DOCTYPE a><a/>", "<!DOCTYPE a [<!ENTITY x 'y'>]><a>&x;</a>", "<a>&x;</a>", "<a>&amp</a>", "<a>&#0;</a>",
            "<a>&#xD800;</a>", "<a>&#x110000;</a>", "<a>&#-1;</a>", "<a>\u{1}</a>", "<?pi x?><a/>", "<a><?pi?></a>",
            "<a><![CDATA[</a>",
            "<a><!-- </a>", "< a/>", "<1/>", "<?xml", "<a>&;</a>",
        ]
    )
    func refused(_ text: String) {
        #expect(throws: XMLError.self) { try Self.parse(text) }
    }

    @Test("Depth and length are bounded")
    func bounds() throws {
        func nested(_ depth: Int) -> String {
            String(repeating: "<a>", count: depth) + String(repeating: "</a>", count: depth)
        }
        #expect(throws: Never.self) { try Self.parse(nested(16)) }
        #expect(throws: XMLError.tooDeep) { try Self.parse(nested(17)) }
        #expect(throws: XMLError.tooDeep) { try Self.parse(String(repeating: "<a>", count: 300_000)) }
        #expect(throws: XMLError.tooLong) { try Self.parse("<a>" + String(repeating: "x", count: 4 << 20) + "</a>") }
        #expect(throws: XMLError.notWellFormed) { try XMLElement.document([0x3C, 0x61, 0x3E, 0xFF]) }
    }

    @Test("Mutations of good documents never trap")
    func mutations() {
        let good = Array(
            "<?xml version='1.0'?><Delete xmlns=\"x\"><Object><Key>a&amp;b</Key></Object><Quiet>true</Quiet></Delete>"
                .utf8
        )
        var generator = SplitMix64(seed: 11)
        for _ in 0..<3_000 {
            var bytes = good
            for _ in 0..<Int.random(in: 1...4, using: &generator) {
                let place = Int.random(in: 0..<bytes.count, using: &generator)
                switch Int.random(in: 0..<3, using: &generator) {
                case 0: bytes[place] = UInt8.random(in: 0...255, using: &generator)
                case 1: bytes.remove(at: place)
                default: bytes.insert(good[Int.random(in: 0..<good.count, using: &generator)], at: place)
                }
            }
            _ = try? DeleteObjectsBody(bytes)
        }
    }

    @Test("What is written reads back")
    func roundTrip() throws {
        let texts = ["", "plain", "<&>\"'", "ü\u{1}\u{7F}\n\t", "]]>", "&amp;"]
        for text in texts {
            var xml = XMLWriter()
            xml.openRoot("Key")
            xml.text(text)
            xml.close("Key")
            #expect(try XMLElement.document(xml.bytes).text == text)
        }
        var numbers = XMLWriter()
        for number in [0, 7, 10, 1_234_567_890, Int.max, -5] { numbers.element("N", number) }
        let written = String(decoding: numbers.bytes, as: UTF8.self)
        #expect(written == [0, 7, 10, 1_234_567_890, Int.max, -5].map { "<N>\($0)</N>" }.joined())
    }

    @Test("A completion of as many parts as there may be fits, with the longest checksums and indented")
    func longestCompletion() throws {
        let digest = Base64.encode([UInt8](repeating: 255, count: 64))
        let tag = "&quot;" + String(repeating: "0", count: 32) + "&quot;"
        var text = "<CompleteMultipartUpload>\n"
        for number in 1...Limits.partCount {
            text += "    <Part>\n        <ETag>\(tag)</ETag>\n        <PartNumber>\(number)</PartNumber>\n"
            text += "        <ChecksumSHA512>\(digest)</ChecksumSHA512>\n    </Part>\n"
        }
        let body = try CompleteUploadBody(Array((text + "</CompleteMultipartUpload>").utf8))
        #expect(body.parts.count == Limits.partCount && body.parts.last?.checksum?.digest.count == 64)
    }

    @Test("Request documents: schema departures are MalformedXML")
    func documents() throws {
        let complete =
            "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>\"e\"</ETag>"
            + "<ChecksumCRC32>NSRBwg==</ChecksumCRC32></Part></CompleteMultipartUpload>"
        let parts = try CompleteUploadBody(Array(complete.utf8)).parts
        #expect(parts.count == 1 && parts[0].eTag == "e" && parts[0].checksum?.digest == [0x35, 0x24, 0x41, 0xC2])
        for bad in [
            "<Complete/>", "", complete.replacing("PartNumber", with: "Number"), complete.replacing(">1<", with: ">x<"),
            complete.replacing("CRC32", with: "CRC33"), complete.replacing(">1<", with: ">--1<"),
            complete.replacing("<ETag>\"e\"</ETag>", with: ""), "<CompleteMultipartUpload/>",
        ] {
            #expect { try CompleteUploadBody(Array(bad.utf8)) } throws: { ($0 as? S3Error)?.code == .malformedXML }
        }
        let high = complete.replacing(">1<", with: ">10001<")
        #expect(try CompleteUploadBody(Array(high.utf8)).parts[0].number == 10_001)
        for low in ["0", "-1"] {
            #expect {
                try CompleteUploadBody(Array(complete.replacing(">1<", with: ">\(low)<").utf8))
            } throws: {
                ($0 as? S3Error)?.message == "PartNumber must be >= 1" && ($0 as? S3Error)?.code == .invalidArgument
            }
        }
        let second = "<ChecksumSHA1>x</ChecksumSHA1></Part>"
        for (bad, told) in [
            (complete.replacing("NSRBwg==", with: "NSRB"), "CRC32:NSRB;"),
            (complete.replacing("NSRBwg==", with: "?"), "CRC32:?;"),
            (complete.replacing("</Part>", with: second), "CRC32:NSRBwg==;SHA1:x;"),
        ] {
            #expect {
                try CompleteUploadBody(Array(bad.utf8))
            } throws: {
                let error = $0 as? S3Error
                return error?.message == "Invalid Base64 or multiple checksums present in request"
                    && error?.code == .invalidArgument && error?.details.map(\.value) == ["Checksum", told]
            }
        }
        for (name, length) in [("SHA512", 64), ("XXHASH3", 8)] {
            let text = Base64.encode([UInt8](repeating: 1, count: length))
            let other = complete.replacing("CRC32", with: name).replacing("NSRBwg==", with: text)
            #expect(try CompleteUploadBody(Array(other.utf8)).parts.first?.checksum?.digest.count == length)
        }
        let untagged = try CompleteUploadBody(Array(complete.replacing("\"e\"", with: "").utf8)).parts
        #expect(untagged.map(\.eTag) == [""])
        let below = Array(complete.replacing(">1<", with: ">0<").utf8)
        #expect { try CompleteUploadBody(below) } throws: { ($0 as? S3Error)?.code == .invalidArgument }
        let spaced = Array(complete.replacing(">1<", with: "> 1\r\n\t<").utf8)
        #expect(try CompleteUploadBody(spaced).parts.map(\.number) == [1])
        for bad in ["> <", ">1 1<"] {
            let bytes = Array(complete.replacing(">1<", with: bad).utf8)
            #expect { try CompleteUploadBody(bytes) } throws: { ($0 as? S3Error)?.code == .malformedXML }
        }
        for (text, isQuiet) in [("\nfalse\n", false), (" true\r\n", true), ("1", true), ("0", false)] {
            let document = "<Delete><Quiet>\(text)</Quiet><Object><Key>a</Key></Object></Delete>"
            #expect(try DeleteObjectsBody(Array(document.utf8)).isQuiet == isQuiet)
        }
        let versions = "<VersionId></VersionId><Key>a</Key></Object><Object><Key>b</Key><VersionId>null</VersionId>"
        let deletion = try DeleteObjectsBody(Array("<Delete><Object>\(versions)</Object></Delete>".utf8))
        #expect(deletion.entries.map(\.versionID) == [nil, "null"])
        for bad in [
            "<Delete><Object><Key></Key></Object></Delete>", "<Delete><Object/></Delete>",
            "<Delete><Object><Key>a</Key><Size>1</Size></Object></Delete>",
            "<Delete><Quiet>maybe</Quiet><Object><Key>a</Key></Object></Delete>",
            "<Delete><Quiet> </Quiet><Object><Key>a</Key></Object></Delete>",
        ] {
            #expect { try DeleteObjectsBody(Array(bad.utf8)) } throws: { ($0 as? S3Error)?.code == .malformedXML }
        }
    }
}
