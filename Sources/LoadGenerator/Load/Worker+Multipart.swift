extension Worker {
    /// The multipart load: takes steps from the queue that all connections share.
    func runMultipart(_ progress: SharedProgress, _ queue: Monitor<MultipartQueue>, _ load: MultipartLoad) {
        while !hasGivenUp {
            if progress.isOver(at: Threads.now()) { queue.update { $0.stop() } }
            switch queue.wait({ $0.next() }) {
            case .stop: return
            case .create(let object): create(object, progress, queue, load)
            case .part(let object, let upload, let number):
                let isDone = storePart(object, upload, number, progress, queue, load)
                if !isDone { giveUp(object, queue, load) }
            case .complete(let object, let upload, let tags):
                measure(progress, .complete) { () throws(ClientFailure) in
                    try client.completeUpload(load.objects.key(object), upload: upload, entityTags: tags)
                    return 0
                }
                // Wakes those who wait for this object to be the last.
                queue.update { _ in }
            }
        }
        queue.update { $0.stop() }
    }

    private func create(
        _ object: Int,
        _ progress: SharedProgress,
        _ queue: Monitor<MultipartQueue>,
        _ load: MultipartLoad
    ) {
        var id: String?
        measure(progress, .create) { () throws(ClientFailure) in
            id = try client.createUpload(load.objects.key(object))
            return 0
        }
        queue.update { $0.created(object: object, id: id) }
    }

    private func storePart(
        _ object: Int,
        _ upload: String,
        _ number: Int,
        _ progress: SharedProgress,
        _ queue: Monitor<MultipartQueue>,
        _ load: MultipartLoad
    ) -> Bool {
        let range = load.range(ofPart: number)
        var tag = ""
        let isDone = measure(progress, .part) { () throws(ClientFailure) in
            tag = try client.uploadPart(
                load.objects.key(object),
                upload: upload,
                number: number,
                load.objects.content(object),
                range: range
            )
            return range.count
        }
        if isDone { queue.update { $0.stored(object: object, number: number, entityTag: tag) } }
        return isDone
    }

    private func giveUp(_ object: Int, _ queue: Monitor<MultipartQueue>, _ load: MultipartLoad) {
        guard let id = queue.update({ $0.giveUp(object: object) }) else { return }
        // A failure here is one of those that have just been counted; the store ends old uploads by itself.
        try? client.abortUpload(load.objects.key(object), upload: id)
    }
}

/// How objects are cut into parts.
struct MultipartLoad: Sendable {
    var objects: ObjectSet
    var size: Int
    var partSize: Int

    func range(ofPart number: Int) -> Range<Int> {
        let start = (number - 1) * partSize
        return start..<min(start + partSize, size)
    }
}
