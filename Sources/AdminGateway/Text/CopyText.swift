/// What status and doctor say of a node under whose name several processes run.
enum CopyText {
    static func problem(_ node: CopiedNodeReport) -> String {
        let count = node.processes.count == 2 ? "two" : Words.count(node.processes.count)
        return "\(count) processes run as node \(node.place): " + node.processes.joined(separator: " and ")
    }

    static let cause =
        "its machine was cloned, or its data folder copied, and both were started with the same certificate; disks "
        + "seem to come and go as the one or the other answers"

    static let action =
        "stop the copy, and keep the one whose disks are the store's; replace, retire and erase nothing of it "
        + "meanwhile. What went to the other is repaired, and this ends a minute later"

    static let refusal = "which of them a disk is served by changes, and it may be good"
    static let refusalAdvice =
        "Stop the copy, wait a minute, and look again. Only if the disk has to be given up before that, with --force."

    /// Of a disk of such a node.
    static func disk(of node: String) -> String {
        "stop the copy of node \(node) first, and look again then: the disk may be good. Do not replace or retire it"
    }
}
