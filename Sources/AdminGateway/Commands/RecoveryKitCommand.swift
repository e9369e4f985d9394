import ArgumentParser
import Glibc

/// `cairn admin recovery-kit`.
package struct RecoveryKitCommand: AdminSubcommand {
    package static let configuration = CommandConfiguration(
        commandName: "recovery-kit",
        abstract: "Give out what a restore needs and the disks do not hold: master key, cluster id, certificates.",
        discussion: "Whoever has it and a few disks can read every object: keep it safe, and apart from the disks."
    )

    @Option(name: .customLong("to"), help: "A new file for it, readable by you alone; else it is printed.")
    var file: String?
    @OptionGroup package var target: AdminTarget

    package init() {}

    package func perform(_ client: AdminClient) throws -> String {
        guard let file else { return try client.recoveryKit().text }
        // The file comes first: the store must not note the kit as taken when it cannot be kept.
        let descriptor = try Self.create(file)
        defer { close(descriptor) }
        do { try Self.write(try client.recoveryKit().text, to: descriptor, file) } catch {
            unlink(file)
            throw error
        }
        return "The recovery kit is in \(file). Move it to a safe place apart from the disks."
    }

    private static func create(_ file: String) throws(AdminError) -> Int32 {
        let descriptor = open(file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else {
            throw AdminError(
                .conflict,
                "cannot make \(file): \(String(cString: strerror(errno)))",
                advice: "Name a file that does not exist, in a folder that you may write to."
            )
        }
        return descriptor
    }

    private static func write(_ text: String, to descriptor: Int32, _ file: String) throws(AdminError) {
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { break }
            rest = rest.dropFirst(count)
        }
        guard rest.isEmpty, fsync(descriptor) == 0 else {
            throw AdminError(
                .failed,
                "cannot write \(file): \(String(cString: strerror(errno)))",
                advice: "Name a file on another disk and run the command again."
            )
        }
    }
}
