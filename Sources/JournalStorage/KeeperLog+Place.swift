internal import ClusterProtocol
internal import DiskFormat
internal import SystemInterface

extension KeeperLog {
    /// Ends the log when its promise or a log file is gone from its name, or the last one is cut short or another: what
    /// is appended to such a file is there for this process alone, and gone with it. Opened again the log says what it
    /// lacks, and is fed, or is found to be lost. To be called now and then.
    package func leaveLostFiles() async {
        try? await exclusive { state async throws(KeeperError) in
            guard let lost = await self.lostFile(state) else { return }
            state.failure = "\(lost) is gone, cut short or exchanged beneath the open file"
        }
    }

    /// The path of a file that is not what was opened; nil also where nothing can be said of it, as of a header that
    /// has rotted.
    private func lostFile(_ state: State) async -> String? {
        for path in [PromiseFile.path] + state.logs.map(\.path) {
            do throws(FileError) {
                if try await files.status(path) == nil { return path }
            } catch {
                return nil
            }
        }
        guard let log = state.logs.last else { return nil }
        do throws(FileError) {
            let file = try await files.open(log.path, .read)
            // What was cut in the midst of a block ends a block before where the next batch goes.
            if try await file.length() <= state.offset - JournalFormat.blockSize { return log.path }
            let header = try? await LogFile.readHeader(file, path: log.path)
            return header.map { $0.salt == log.header.salt } ?? true ? nil : log.path
        } catch {
            return error.code == .notFound || error.code == .invalid ? log.path : nil
        }
    }
}
