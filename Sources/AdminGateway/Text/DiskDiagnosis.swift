/// What an operator should do about disks, each by itself.
struct DiskDiagnosis {
    let report: StatusReport
    /// One shard more that is lost makes something unreadable.
    let hasNoSpare: Bool

    /// nil when nothing is wrong with it.
    func finding(_ disk: DiskReport) -> Diagnosis.Finding? {
        if report.isCopied(disk), disk.isInDoubt {
            return warning(disk, "is \(disk.state.rawValue)", action: CopyText.disk(of: disk.node))
        }
        return switch disk.state {
        case .missing, .failed, .foreign: unread(disk)
        case .suspect:
            warning(
                disk,
                "has had errors",
                action: "look at dmesg and smartctl; if it is bad: cairn admin disk replace \(disk.place)"
            )
        case .hanging:
            warning(
                disk,
                "takes no writes: one does not end, or it can make no new segment; it is read",
                action: Advice.hanging + "; cairn admin doctor says which it is"
            )
        case .full: warning(disk, "is full", action: "delete objects or add disks")
        case .rebuilding: warning(disk, "is being rebuilt", action: "nothing: wait until repair has ended")
        case .healthy: disk.isNearlyFull ? nearlyFull(disk) : nil
        }
    }

    /// It is to be brought back wherever that may help, and replaced only where it does no harm.
    private func unread(_ disk: DiskReport) -> Diagnosis.Finding {
        if report.hasUnreadable {
            return warning(
                disk,
                "is \(disk.state.rawValue)",
                action: "bring it back as it is: what cannot be read now may need it"
            )
        }
        if disk.state == .foreign {
            return warning(
                disk,
                "is not in its slot",
                action: "put each disk where it belongs and replace none; cairn admin doctor says which is where"
            )
        }
        let mayReturn = disk.state == .missing ? "bring it back, or put" : "put"
        let gone = hasNoSpare ? "bring it back if that can be done; if it is gone for good, put" : mayReturn
        return warning(
            disk,
            "is \(disk.state.rawValue)",
            action: "\(gone) an empty disk at its path and run: cairn admin disk replace \(disk.place)"
        )
    }

    private func nearlyFull(_ disk: DiskReport) -> Diagnosis.Finding {
        let problem = "is \(Words.percent(disk.used, of: disk.capacity)) full"
        return Diagnosis.Finding(severity: .notice, text: text(disk, problem), action: "plan for more disks")
    }

    private func warning(_ disk: DiskReport, _ problem: String, action: String) -> Diagnosis.Finding {
        Diagnosis.Finding(severity: .warning, text: text(disk, problem), action: action)
    }

    private func text(_ disk: DiskReport, _ problem: String) -> String {
        let path = disk.path.isEmpty ? "" : " (\(disk.path))"
        return "disk \(disk.place)\(path) \(problem)"
    }
}

extension StatusReport {
    /// Something cannot be read now: a disk that is not there may bring it back.
    var hasUnreadable: Bool { blobsBelowK > 0 || groups.unreadable > 0 }
}
