import Glibc
import Simulation

/// Runs seeds in processes of this program, as many at a time as there are cores: a run needs a thread of its own, and
/// the executor's hook serves a whole process. What a process prints is shown when it has ended.
struct SharedRun {
    /// Seeds of one process: so many that starting it costs nothing, so few that the cores end together.
    private static let chunk: UInt64 = 25

    let scenario: String
    let firstSeed: UInt64
    let seeds: UInt64
    let jobs: Int
    var hashes = false

    private struct Child {
        var process: pid_t
        var output: UnsafeMutablePointer<FILE>
        var first: UInt64
        var count: UInt64
    }

    func run(stopsAtFailure: Bool = false) -> Totals {
        var totals = Totals()
        var next = firstSeed
        var children: [Child] = []
        while true {
            let isStopped = stopsAtFailure && totals.failures > 0
            while children.count < jobs, next < firstSeed + seeds, !isStopped {
                let count = min(Self.chunk, firstSeed + seeds - next)
                guard let child = start(first: next, count: count) else {
                    totals.failures += 1
                    break
                }
                children.append(child)
                next += count
            }
            guard let (child, status) = waitForOne(&children) else { return totals }
            totals.add(result(of: child, status: status))
        }
    }

    private func start(first: UInt64, count: UInt64) -> Child? {
        guard let output = tmpfile() else {
            note("no temporary file: \(String(cString: strerror(errno)))")
            return nil
        }
        let words = [
            "simulator", "run", "--as-part", "--scenario", scenario, "--first-seed", "\(first)", "--seeds", "\(count)",
        ]
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_adddup2(&actions, fileno(output), STDOUT_FILENO)
        var arguments = (words + (hashes ? ["--hashes"] : [])).map { strdup($0) } + [nil]
        defer { for argument in arguments { free(argument) } }
        var process = pid_t()
        let error = posix_spawn(&process, "/proc/self/exe", &actions, nil, &arguments, environ)
        guard error == 0 else {
            note("no process for seeds \(first)…: \(String(cString: strerror(error)))")
            fclose(output)
            return nil
        }
        return Child(process: process, output: output, first: first, count: count)
    }

    private func waitForOne(_ children: inout [Child]) -> (Child, Int32)? {
        guard !children.isEmpty else { return nil }
        var status: Int32 = 0
        while true {
            let process = waitpid(-1, &status, 0)
            if let index = children.firstIndex(where: { $0.process == process }) {
                return (children.remove(at: index), status)
            }
            if process < 0, errno != EINTR { return nil }
        }
    }

    /// Shows what a process printed but its totals. One that ended without them has failed with one of its seeds.
    private func result(of child: Child, status: Int32) -> Totals {
        defer { fclose(child.output) }
        rewind(child.output)
        var text: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while case let count = fread(&buffer, 1, buffer.count, child.output), count > 0 { text += buffer[..<count] }
        var totals: Totals?
        for line in String(decoding: text, as: UTF8.self).split(separator: "\n") {
            if let found = Totals(line: line) { totals = found } else { print(line) }
        }
        if let totals { return totals }
        var failed = Totals()
        failed.failures = 1
        let last = child.first + child.count - 1
        print("one of the seeds \(child.first) to \(last) ended the process (status \(status)), see above")
        print("again: simulator run --jobs 1 --scenario \(scenario) --first-seed \(child.first) --seeds \(child.count)")
        return failed
    }
}
