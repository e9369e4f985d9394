import AdminGateway
import Coordination
import Metadata
import ObjectInterface
import ObjectModel

/// The operator's commands that rewrite objects into another class.
extension StoreAdmin {
    func applyClass(_ application: ClassApplication) async throws(AdminError) -> ClassApplicationReport {
        let rate = max(1, application.rate ?? ClassRewriter.defaultRate)
        let rewrite = ClassRewrite(
            bucket: application.bucket,
            prefix: application.prefix,
            storageClass: application.storageClass,
            rate: rate
        )
        do throws(ClassChangeError) {
            let survey = try await store.planClassRewrite(rewrite)
            if !application.isDryRun { try await store.beginClassRewrite(rewrite) }
            return ClassApplicationReport(
                application: application,
                objects: survey.objects,
                bytes: survey.bytes,
                bytesOnDisks: survey.bytesOnDisks,
                bytesOnDisksThen: survey.bytesOnDisksThen,
                seconds: survey.bytes / rate,
                isComplete: survey.isComplete
            )
        } catch {
            throw AdminError(error)
        }
    }

    func classRewrites() async throws(AdminError) -> ClassRewritesReport {
        do {
            // The rows first: what is gone from them is known to be cancelled by then.
            let open = try await store.metadata.classRewrites()
            let cancelled = store.classRewriter.cancelled.subtracting(open.map(\.bucket))
            return ClassRewritesReport(
                rewrites: open.map { Self.report($0, of: store) },
                cancelled: cancelled.sorted()
            )
        } catch {
            throw AdminError(.unavailable, error.message)
        }
    }

    func control(_ control: ClassRewriteControl) async throws(AdminError) -> ClassRewritesReport {
        do throws(ClassChangeError) {
            switch control.action {
            case .pause: try await store.pauseClassRewrite(control.bucket, true)
            case .resume: try await store.pauseClassRewrite(control.bucket, false)
            case .cancel: try await store.cancelClassRewrite(control.bucket)
            }
        } catch {
            throw AdminError(error)
        }
        return try await classRewrites()
    }

    static func report(_ rewrite: ClassRewrite, of store: Store) -> ClassRewriteReport {
        let progress = store.classRewriter.progress(of: rewrite) ?? ClassRewriteProgress()
        return ClassRewriteReport(
            bucket: rewrite.bucket,
            prefix: rewrite.prefix,
            storageClass: rewrite.storageClass,
            isPaused: rewrite.isPaused,
            rate: rewrite.rate,
            objectsLeft: progress.objectsLeft,
            bytesLeft: progress.bytesLeft,
            objectsDone: progress.objectsDone,
            bytesDone: progress.bytesDone,
            objectsChanged: progress.objectsChanged,
            secondsLeft: progress.secondsLeft,
            problem: progress.problem
        )
    }
}
