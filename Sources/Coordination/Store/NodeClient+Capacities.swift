internal import BlobStorage
internal import ClusterProtocol
internal import ObjectModel

extension NodeClient {
    /// Bytes that each disk can hold, by which placement weighs them; those that do not answer are taken for the
    /// smallest.
    func capacities(of disks: some Sequence<DiskID>) async -> [DiskID: Int] {
        let disks = disks.sorted()
        var found: [DiskID: Int] = [:]
        for disk in disks { found[disk] = (try? await status(disk))?.capacity }
        let smallest = found.values.filter { $0 > 0 }.min() ?? 1
        return Dictionary(uniqueKeysWithValues: disks.map { ($0, max(found[$0] ?? 0, smallest)) })
    }
}
