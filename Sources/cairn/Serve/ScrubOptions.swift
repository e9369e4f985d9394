import ArgumentParser
import Coordination
import LoadGenerator

/// What the scrub promises and may cost, of `cairn serve` and `cairn coordinator`.
struct ScrubOptions: ParsableArguments {
    @Option(help: "Bytes a second that the scrub reads from each disk at most.")
    var scrubRate = "16MiB"
    @Option(help: "Every byte is read and compared within so many days.")
    var scrubDays = 14
    @Option(help: "Every stripe is coded again and compared within so many days.")
    var reEncodeDays = 90

    private static let dayLimit = 3_650

    func settings() throws -> ScrubSettings {
        guard let rate = ByteCount(text: scrubRate), rate.bytes > 0 else {
            throw ValidationError("--scrub-rate \(scrubRate): give a number of bytes, such as 16MiB")
        }
        for (option, days) in [("--scrub-days", scrubDays), ("--re-encode-days", reEncodeDays)] {
            guard 1...Self.dayLimit ~= days else {
                throw ValidationError("\(option) \(days): give 1 to \(Self.dayLimit)")
            }
        }
        return ScrubSettings(
            period: .seconds(scrubDays * 86_400),
            codingPeriod: .seconds(reEncodeDays * 86_400),
            maximumRate: rate.bytes
        )
    }
}
