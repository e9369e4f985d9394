import AdminGateway
import Foundation
import Testing

/// A command of one version and a store of another.
@Suite("Answers of other versions")
struct OtherVersionsTests {
    /// What a store of before any field was added says, with one disk.
    private static let oldest = """
        {"blobsBelowK":0,"bytes":10,"capacity":100,"clusterID":"00112233445566778899aabbccddeeff","dataShards":4,
        "disks":[{"capacity":9,"deadBytes":0,"id":"01","liveBytes":1,"missingShards":0,"node":"n1","path":"/data/disk0",
        "site":"default","slot":"0","state":"healthy","used":1}],
        "groups":{"degraded":0,"total":12,"unwritable":0,"whole":12},
        "journal":{"incarnation":3,"needed":2,"sequence":7,"keepers":[{"disk":"01","state":"current"},
        {"disk":"02","state":"current"},{"disk":"03","state":"current"}]},
        "missingShards":0,"objects":1,"recoveryKitTaken":true,
        "repair":{"active":false,"bytesDone":0,"bytesLeft":0},"scheme":"rs-4-2","time":1800000000,"totalShards":6,
        "verification":{"active":false,"shardsExpected":6,"shardsPresent":6,"shardsVerified":6}}
        """

    private static func decode<Value: Decodable>(_ type: Value.Type, _ text: String) throws -> Value {
        try JSONDecoder().decode(type, from: Data(text.utf8))
    }

    /// `value` as JSON, with the keys of its outermost object that `change` leaves.
    private static func changed(
        _ value: some Encodable,
        _ change: (inout [String: Any]) -> Void
    ) throws -> String {
        let data = try JSONEncoder().encode(value)
        var fields = try #require(try JSONSerialization.jsonObject(with: data) as? [String: Any])
        change(&fields)
        return String(decoding: try JSONSerialization.data(withJSONObject: fields), as: UTF8.self)
    }

    @Test("the status of the oldest store is read, and what it does not say alarms nobody")
    func oldStatus() throws {
        let report = try Self.decode(StatusReport.self, Self.oldest)
        #expect(report.isCounted && report.room.isEmpty && report.unusedDisks.isEmpty && report.groups.closed == 0)
        #expect(report.copiedNodes.isEmpty)
        #expect(StatusText.text(report).hasPrefix("OK: every shard is in place."))
        // And comes back as it was.
        let again = String(decoding: try JSONEncoder().encode(report), as: UTF8.self)
        #expect(try Self.decode(StatusReport.self, again) == report)
    }

    @Test("what a store has always said is asked for")
    func broken() throws {
        let text = try Self.changed(StatusReport.sample()) { $0["disks"] = nil }
        #expect(throws: DecodingError.self) { try Self.decode(StatusReport.self, text) }
    }

    @Test("an examination without what was added to it is read")
    func oldExamination() throws {
        let added = [
            "isSuperseded", "isConfirmed", "suspectShards", "blobsNotRepaired", "blobsNotRepacked", "badShards",
            "absentShards", "reasons", "silentNodes", "unheardNodes", "idleDisks", "groupsAgainstTheRule",
        ]
        let sample = StoreExamination.sample()
        let text = try Self.changed(sample) { fields in
            for name in added {
                #expect(fields[name] != nil, "\(name)")
                fields[name] = nil
            }
        }
        let read = try Self.decode(StoreExamination.self, text)
        #expect(read.isConfirmed && !read.isSuperseded && read.reasons.isEmpty && read.idleDisks.isEmpty)
        #expect(read.status == sample.status && read.now == sample.now)
    }

    @Test("a plan of losses that does not say whether changes may be lost is not taken for a promise")
    func oldLossPlan() throws {
        let text = try Self.changed(LossPlanReport.sample()) { $0["mayLoseChanges"] = nil }
        #expect(try Self.decode(LossPlanReport.self, text).mayLoseChanges)
    }

    @Test("the words and fields of a later store are read as the nearest that are known")
    func newStatus() throws {
        let text = try Self.changed(StatusReport.sample()) { fields in
            fields["laterField"] = ["a": [1, 2]]
            var disks = fields["disks"] as? [[String: Any]] ?? []
            disks[0]["state"] = "hibernating"
            fields["disks"] = disks
        }
        let report = try Self.decode(StatusReport.self, text)
        #expect(report.disks.map(\.state).prefix(2) == [.suspect, .healthy])
        #expect(StatusText.text(report).contains("SUSPECT"))
        #expect(try Self.decode([NodeState].self, #"["up","elsewhere"]"#) == [.up, .suspect])
        #expect(try Self.decode([AdminError.Code].self, #"["conflict","tired"]"#) == [.conflict, .failed])
        #expect(try Self.decode([OutcomeReport.Writes].self, #"["full","odd"]"#) == [.full, .degraded])
    }
}
