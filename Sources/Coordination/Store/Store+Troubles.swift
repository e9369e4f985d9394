internal import Metadata
internal import ObjectInterface

extension Store {
    /// Work of the background that does not get on, and why.
    package func troubles() async -> [(work: StoreWork, reason: String)] {
        await metadata.lookAtRoom()
        let rewrites = (try? await metadata.classRewrites()) ?? []
        let problems = rewrites.compactMap { rewrite -> String? in
            guard let problem = classRewriter.progress(of: rewrite)?.problem, !problem.isEmpty else { return nil }
            return "\(rewrite.bucket): \(problem)"
        }
        return StoreWork.allCases.compactMap { work in
            let reason: String? =
                switch work {
                case .checkpoints: checkpointer.trouble.lasting
                case .garbage: collector.trouble.lasting
                case .keepers: events.keeperTrouble
                case .metadata: metadata.shortage?.message
                case .moves: mover.problem
                case .orphans: orphans.trouble.lasting
                case .repack: repacker.trouble.lasting
                case .repair: repairer.hold.problem
                case .rewrites: problems.joined(separator: "; ")
                }
            return reason.flatMap { $0.isEmpty ? nil : (work, $0) }
        }
    }
}
