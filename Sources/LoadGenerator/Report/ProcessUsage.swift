import Glibc

/// What processes have used, from `/proc` (proc(5)).
package struct ProcessUsage: Hashable, Sendable {
    /// User and system time.
    var cpuSeconds = 0.0
    /// Resident now.
    var residentBytes = 0
    /// Resident at most since each process began (`VmHWM`).
    var peakResidentBytes = 0

    /// The sum over `processes`; nil when one of them does not exist.
    static func measure(_ processes: [Int32], root: String = "/proc") -> Self? {
        var sum = Self()
        for process in processes {
            guard let stat = read("\(root)/\(process)/stat"), let ticks = cpuTicks(stat),
                let status = read("\(root)/\(process)/status")
            else { return nil }
            sum.cpuSeconds += Double(ticks) / Double(sysconf(Int32(_SC_CLK_TCK)))
            sum.residentBytes += kibibytes("VmRSS", status) << 10
            sum.peakResidentBytes += kibibytes("VmHWM", status) << 10
        }
        return sum
    }

    /// Fields 14 and 15 (utime, stime), counted behind the name, which may itself hold spaces and parentheses.
    package static func cpuTicks(_ stat: String) -> Int? {
        guard let nameEnd = stat.lastIndex(of: ")") else { return nil }
        let fields = stat[stat.index(after: nameEnd)...].split(separator: " ")
        guard fields.count > 12, let user = Int(fields[11]), let system = Int(fields[12]) else { return nil }
        return user + system
    }

    package static func kibibytes(_ name: String, _ status: String) -> Int {
        for line in status.split(separator: "\n") where line.hasPrefix("\(name):") {
            return line.split(whereSeparator: { $0 == " " || $0 == "\t" }).dropFirst().first.flatMap { Int($0) } ?? 0
        }
        return 0
    }

    private static func read(_ path: String) -> String? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var buffer = [UInt8](repeating: 0, count: 8_192)
        let count = Glibc.read(descriptor, &buffer, buffer.count)
        return count > 0 ? String(decoding: buffer[..<count], as: UTF8.self) : nil
    }

    /// CPU seconds of this process, in user and system mode.
    static func ownCPUSeconds() -> Double {
        var usage = rusage()
        getrusage(RUSAGE_SELF.rawValue, &usage)
        func seconds(_ time: timeval) -> Double { Double(time.tv_sec) + Double(time.tv_usec) / 1e6 }
        return seconds(usage.ru_utime) + seconds(usage.ru_stime)
    }
}
