import ArgumentParser
import Coordination
import LoadGenerator

/// What repair may take, of `cairn serve` and `cairn coordinator`.
struct RepairOptions: ParsableArguments {
    @Option(help: "Bytes a second that repair takes of each disk at most while clients ask for something.")
    var repairRate = "100MiB"
    @Option(help: "Bytes a second of all lines between sites for repair and moves at most; `none` for no limit.")
    var wanRate = "none"

    func rates() throws -> RepairRates {
        RepairRates(
            disk: try Self.bytes(repairRate, "--repair-rate"),
            wan: wanRate == "none" ? nil : try Self.bytes(wanRate, "--wan-rate")
        )
    }

    private static func bytes(_ text: String, _ option: String) throws -> Int {
        guard let count = ByteCount(text: text), count.bytes > 0 else {
            throw ValidationError("\(option) \(text): give a number of bytes, such as 100MiB")
        }
        return count.bytes
    }
}
