/// One run of the load, from making the bucket to removing what was written.
///
/// `execute` blocks its thread until the load is over.
package struct LoadRun {
    /// Why a run could not give a result.
    package struct Failure: Error, Hashable, Sendable, CustomStringConvertible {
        package var description: String
    }

    private let options: LoadOptions
    private let objects: ObjectSet
    private let workers: [Worker]
    private let narrate: @Sendable (String) -> Void

    /// `narrate` gets a progress line once a second, and one where a phase begins.
    package init(_ options: LoadOptions, narrate: @escaping @Sendable (String) -> Void = { _ in }) {
        let objects = ObjectSet(
            prefix: options.prefix,
            isCompressible: options.isCompressible,
            existing: options.workingSet
        )
        self.options = options
        self.objects = objects
        self.narrate = narrate
        workers = (0..<options.concurrency).map { Worker(index: $0, options: options, objects: objects) }
    }

    package func execute() throws(Failure) -> LoadReport {
        if let problem = options.problem { throw Failure(description: problem) }
        if !options.serverProcesses.isEmpty, ProcessUsage.measure(options.serverProcesses) == nil {
            throw Failure(description: "--server-pid names a process that does not exist or may not be looked at")
        }
        let madeBucket = try makeBucket()
        if !options.existing { try prepare() }
        if options.warmUp.nanoseconds > 0, options.work != .delete {
            _ = runWork("warming up", limit: nil, duration: options.warmUp)
        }
        let report = measured()
        if options.cleanup { cleanUp(madeBucket: madeBucket) }
        return report
    }

    private func makeBucket() throws(Failure) -> Bool {
        do throws(ClientFailure) { return try workers[0].client.createBucket() } catch {
            throw Failure(description: "bucket \(options.bucket): \(error)")
        }
    }

    private func prepare() throws(Failure) {
        guard options.workingSet > 0 else { return }
        let (tally, _) = phase("writing objects", limit: options.workingSet, duration: nil) { worker, progress in
            worker.prepare(progress)
        }
        let written = tally.operations[.put]?.latency.count ?? 0
        guard written < options.workingSet, !Interruption.isRequested else { return }
        let reasons = tally.examples.sorted { $0.key < $1.key }.map(\.value).joined(separator: "; ")
        throw Failure(description: "only \(written) of \(options.workingSet) objects could be written: \(reasons)")
    }

    private func measured() -> LoadReport {
        let serverBefore = ProcessUsage.measure(options.serverProcesses)
        let clientBefore = ProcessUsage.ownCPUSeconds()
        let (tally, elapsed) = runLimited()
        let clientSeconds = ProcessUsage.ownCPUSeconds() - clientBefore
        var server: ProcessUsage?
        if !options.serverProcesses.isEmpty, let before = serverBefore,
            let after = ProcessUsage.measure(options.serverProcesses)
        {
            server = after
            server?.cpuSeconds -= before.cpuSeconds
        }
        return LoadReport(options: options, tally: tally, elapsed: elapsed, clientCPU: clientSeconds, server: server)
    }

    private func runLimited() -> (Tally, Double) {
        let name = options.work.rawValue
        switch (options.limit, options.work) {
        case (.count(let count), .delete): return runWork(name, limit: min(count, options.workingSet), duration: nil)
        case (.duration(let span), .delete): return runWork(name, limit: options.workingSet, duration: span)
        case (.count(let count), _): return runWork(name, limit: count, duration: nil)
        case (.duration(let span), _): return runWork(name, limit: nil, duration: span)
        }
    }

    private func runWork(_ name: String, limit: Int?, duration: TimeSpan?) -> (Tally, Double) {
        guard options.work != .multipart else { return runMultipart(name, limit: limit, duration: duration) }
        return phase(name, limit: limit, duration: duration) { worker, progress in worker.run(progress) }
    }

    private func runMultipart(_ name: String, limit: Int?, duration: TimeSpan?) -> (Tally, Double) {
        let queue = Monitor(
            MultipartQueue(partCount: options.partCount, firstObject: objects.count, objectLimit: limit)
        )
        let load = MultipartLoad(objects: objects, size: options.size, partSize: options.partSize)
        let result = phase(name, limit: nil, duration: duration) { worker, progress in
            worker.runMultipart(progress, queue, load)
        }
        for (object, id) in queue.update({ $0.open }) {
            // What a run to a deadline left open; the store ends old uploads by itself when this fails.
            try? workers[0].client.abortUpload(objects.key(object), upload: id)
        }
        objects.reserve(queue.update { $0.endObject })
        return result
    }

    private func cleanUp(madeBucket: Bool) {
        phase("removing objects", limit: objects.count, duration: nil) { worker, progress in worker.cleanUp(progress) }
        // Somebody else may have put objects into it meanwhile: then it stays.
        if madeBucket { try? workers[0].client.deleteBucket() }
    }

    /// Runs one phase on all connections; what they did, and seconds from its start to the end of its last operation.
    @discardableResult
    private func phase(
        _ name: String,
        limit: Int?,
        duration: TimeSpan?,
        _ body: @escaping @Sendable (Worker, SharedProgress) -> Void
    ) -> (Tally, Double) {
        let start = Threads.now()
        let progress = SharedProgress(limit: limit, deadline: duration.map { start + $0.nanoseconds })
        let narrator = Narrator(phase: name, progress: progress, total: limit, duration: duration, narrate)
        for worker in workers { worker.reset() }
        let workers = workers
        narrator.start(at: start)
        Threads.run(workers.count) { body(workers[$0], progress) }
        narrator.finish()
        var tally = Tally()
        for worker in workers { tally.merge(worker.tally) }
        let finish = workers.map(\.lastFinish).max() ?? start
        return (tally, Double(max(finish, start + 1) - start) / 1e9)
    }
}
