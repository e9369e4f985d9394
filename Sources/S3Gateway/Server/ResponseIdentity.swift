import Checksums
import HTTPTypes
import ObjectModel
import S3Protocol
import Synchronization
internal import SystemInterface

/// The ids and the date that every answer carries.
final class ResponseIdentity: Sendable {
    private struct Stamp {
        var second: Int64 = -1
        var text = ""
    }

    /// `x-amz-id-2`: names this process to whoever reads its logs.
    let hostID: String
    private let time: any TimeSource
    private let random: any RandomSource
    private let stamp = Mutex(Stamp())

    init(time: any TimeSource, random: any RandomSource) {
        self.time = time
        self.random = random
        hostID = Base64.encode(random.bytes(24))
    }

    /// `x-amz-request-id`: 16 digits.
    func nextRequestID() -> String { String(Hexadecimal.text(random.next()).uppercased()) }

    /// What every answer has; `requestID` is nil for what is no request of S3.
    func append(to fields: inout HTTPFields, requestID: String?) {
        if let requestID {
            fields.append(HTTPField(name: S3FieldName.requestID, value: requestID))
            fields.append(HTTPField(name: S3FieldName.hostID, value: hostID))
        }
        fields.append(HTTPField(name: .date, value: date()))
        fields.append(HTTPField(name: .server, value: "Cairn"))
    }

    /// The `Date` header, made once a second.
    func date() -> String {
        let milliseconds = time.wall.milliseconds
        return stamp.withLock { stamp in
            let second = milliseconds / 1_000
            if stamp.second != second { stamp = Stamp(second: second, text: S3Date.http(milliseconds)) }
            return stamp.text
        }
    }
}
