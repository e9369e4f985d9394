internal import BlobStorage
package import Metadata
internal import ObjectInterface
internal import ObjectModel
internal import ObjectStorage
internal import Placement

// Objects that are there already, rewritten into another class in the background.
extension Store {
    /// How long an operator waits for a count: with very many objects it covers a part of them.
    package static let surveyLimit = Duration.seconds(20)

    /// What rewriting would take, as far as it can be counted in `surveyLimit`; changes nothing.
    package func planClassRewrite(_ rewrite: ClassRewrite) async throws(ClassChangeError) -> ClassSurvey {
        try await checkRewrite(rewrite)
        guard let scheme = blobs.view.scheme(named: rewrite.storageClass) else {
            throw .failed("no placement group of \(rewrite.storageClass) is known yet: try again")
        }
        var all = rewrite
        all.before = .max
        do {
            return try await classRewriter.survey(ClassTarget(all, scheme: scheme), atMost: Self.surveyLimit)
        } catch {
            throw .failed(error.message)
        }
    }

    /// Begins to rewrite objects of a bucket: durable on return, and goes on after a restart, until all are rewritten
    /// that are there now.
    package func beginClassRewrite(_ rewrite: ClassRewrite) async throws(ClassChangeError) {
        try await checkRewrite(rewrite)
        do {
            let open = try await metadata.classRewrites()
            guard !open.contains(where: { $0.bucket == rewrite.bucket }) else {
                throw ClassChangeError.isRewriting(rewrite.bucket)
            }
            classRewriter.note(rewrite.bucket, isCancelled: false)
            _ = try await metadata.beginClassRewrite(rewrite)
        } catch let error as ClassChangeError {
            throw error
        } catch {
            throw .failed("\(error)")
        }
    }

    private func checkRewrite(_ rewrite: ClassRewrite) async throws(ClassChangeError) {
        do {
            if rewrite.storageClass != StorageClass.standard,
                try await !metadata.classes().contains(where: { $0.name == rewrite.storageClass })
            {
                throw ClassChangeError.noSuchClass(rewrite.storageClass)
            }
            guard try await metadata.bucket(rewrite.bucket) != nil else {
                throw ClassChangeError.noSuchBucket(rewrite.bucket)
            }
        } catch let error as ClassChangeError {
            throw error
        } catch {
            throw .failed("\(error)")
        }
    }

    /// Holds a rewrite until it is resumed, over restarts too; what is being copied is finished.
    package func pauseClassRewrite(_ bucket: String, _ isPaused: Bool) async throws(ClassChangeError) {
        try await require(bucket) { () async throws in try await self.metadata.pauseClassRewrite(bucket, isPaused) }
    }

    /// Ends a rewrite where it is: what was rewritten stays so, the rest stays as it was.
    package func cancelClassRewrite(_ bucket: String) async throws(ClassChangeError) {
        // Before it is so: who looks on sees no end without it.
        if let open = try? await metadata.classRewrites(), open.contains(where: { $0.bucket == bucket }) {
            classRewriter.note(bucket, isCancelled: true)
        }
        try await require(bucket) { () async throws in try await self.metadata.endClassRewrite(bucket, before: nil) }
    }

    private func require(_ bucket: String, _ body: () async throws -> Bool) async throws(ClassChangeError) {
        let isOpen: Bool
        do {
            isOpen = try await body()
        } catch {
            throw .failed("\(error)")
        }
        guard isOpen else { throw .notRewriting(bucket) }
    }
}
