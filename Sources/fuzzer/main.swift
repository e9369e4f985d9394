import CFuzzer
import FuzzTargets
import Glibc

// One fuzz target under libFuzzer, chosen by CAIRN_FUZZ_TARGET; libFuzzer's own options and folders of inputs follow.
//
// `fuzzer list` names the targets; `fuzzer seeds FOLDER` writes the inputs that the chosen one begins with.

/// Reached from a C function, which takes no context.
enum Chosen {
    static let run = getenv("CAIRN_FUZZ_TARGET").flatMap { FuzzTarget.named(String(cString: $0)) }.map { Run($0) }
}

if CommandLine.arguments.count == 2, CommandLine.arguments[1] == "list" {
    for target in FuzzTarget.all { print(target.name, target.maximumLength) }
    exit(0)
}
guard let run = Chosen.run else {
    print("CAIRN_FUZZ_TARGET names no target; `fuzzer list` names them all")
    exit(2)
}
if CommandLine.arguments.count == 3, CommandLine.arguments[1] == "seeds" {
    exit(run.writeSeeds(to: CommandLine.arguments[2]))
}
var count = CommandLine.argc
var arguments: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>? = CommandLine.unsafeArgv
let status = LLVMFuzzerRunDriver(&count, &arguments) { start, count in
    Chosen.run?.check(Array(UnsafeBufferPointer(start: start, count: count)))
    return 0
}
exit(status)
