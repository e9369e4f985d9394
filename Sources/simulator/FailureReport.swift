import Glibc
import Simulation
import Synchronization

/// Says why a seed failed, with the fewest of its faults that still fail, and how to see it again.
struct FailureReport {
    /// Events shown of what the failure is about, or of all.
    private static let eventLimit = 60

    let scenario: any Scenario
    let outcome: Outcome

    func show() {
        let faults = scenario.faults(seed: outcome.seed)
        let left = shrunk(count: faults.count)
        let (last, events) = events(without: left)
        for event in events { print("  \(event)") }
        print("seed \(outcome.seed) of \(scenario.name) failed: \(outcome.failure ?? "")")
        if !left.isEmpty { print("with the faults below alone: \(last.failure ?? "")") }
        for (index, fault) in faults.enumerated() where !left.contains(index + 1) { print("  fault \(fault)") }
        print("commit \(Checkout.commit ?? "unknown")")
        let without = left.isEmpty ? "" : " --without \(left.sorted().map(String.init).joined(separator: ","))"
        print("again: simulator replay \(outcome.seed) --scenario \(scenario.name)\(without)")
        fflush(nil)
    }

    /// The faults that are not needed for a failure, tried one by one until each of the others is needed: one may be
    /// only as long as another is there.
    private func shrunk(count: Int) -> Set<Int> {
        var left: Set<Int> = []
        while true {
            let before = left
            for number in 1..<count + 1 where !left.contains(number) && fails(without: left.union([number])) {
                left.insert(number)
            }
            if left == before { return left }
        }
    }

    private func fails(without left: Set<Int>) -> Bool {
        scenario.namedOutcome(seed: outcome.seed, without: left).failure != nil
    }

    /// The run again, with its latest events about the object concerned.
    private func events(without left: Set<Int>) -> (Outcome, [String]) {
        let subject = scenario.namedOutcome(seed: outcome.seed, without: left).subject
        let kept = Mutex<[String]>([])
        let last = scenario.namedOutcome(seed: outcome.seed, without: left) { event in
            let isOfInterest = subject.map(event.contains) ?? true
            guard isOfInterest || event.contains(" fault ") || event.contains(" crash ") else { return }
            kept.withLock { kept in
                kept.append(event)
                if kept.count > 2 * Self.eventLimit { kept.removeFirst(Self.eventLimit) }
            }
        }
        return (last, kept.withLock { $0.suffix(Self.eventLimit) })
    }
}

/// The version of the sources that a run belongs to.
enum Checkout {
    private static let gitFolder = ".git"
    private static let linkMark = "gitdir: "
    private static let referenceMark = "ref: "

    /// The commit that is checked out where the program runs; nil outside of a checkout's uppermost folder.
    static var commit: String? {
        // In a further worktree the folder is a file that names another one.
        let folder = text(gitFolder).flatMap { rest(of: $0, behind: linkMark) } ?? gitFolder
        guard let head = text(folder + "/HEAD") else { return nil }
        guard let name = rest(of: head, behind: referenceMark) else { return head }
        // That one has a HEAD of its own, and shares the rest.
        let shared = text(folder + "/commondir").map { $0.hasPrefix("/") ? $0 : "\(folder)/\($0)" } ?? folder
        return text("\(folder)/\(name)") ?? text("\(shared)/\(name)") ?? packed(name, in: shared)
    }

    private static func rest(of line: String, behind mark: String) -> String? {
        line.hasPrefix(mark) ? String(line.dropFirst(mark.count)) : nil
    }

    /// As git keeps the names that have not changed for a while.
    private static func packed(_ name: String, in folder: String) -> String? {
        guard let file = fopen(folder + "/packed-refs", "r") else { return nil }
        defer { fclose(file) }
        var buffer = [CChar](repeating: 0, count: 1_024)
        while fgets(&buffer, Int32(buffer.count), file) != nil {
            let words = String(decoding: buffer.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
                .split(whereSeparator: \.isWhitespace)
            if words.count == 2, words[1] == name { return String(words[0]) }
        }
        return nil
    }

    /// The first line of a file; nil of what is none.
    private static func text(_ path: String) -> String? {
        guard let file = fopen(path, "r") else { return nil }
        defer { fclose(file) }
        var buffer = [UInt8](repeating: 0, count: Int(PATH_MAX) + 256)
        let count = fread(&buffer, 1, buffer.count, file)
        let line = buffer[..<count].prefix { $0 != UInt8(ascii: "\n") }
        return line.isEmpty ? nil : String(decoding: line, as: UTF8.self)
    }
}
