import AdminGateway
import ArgumentParser

/// When disks that are away are given up, of `cairn serve` and `cairn coordinator`.
struct OutOptions: ParsableArguments {
    @Option(help: "Make the shards of a disk anew on others once it is away for so long; `never` waits for it.")
    var outAfter = "1h"

    func patience() throws -> Duration? {
        if outAfter == "never" { return nil }
        guard let patience = DurationText.parse(outAfter) else {
            throw ValidationError("--out-after \(outAfter): give a number with s, m, h or d, or never")
        }
        return patience
    }
}
