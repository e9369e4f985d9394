internal import BlobStorage
internal import ClusterProtocol
internal import ObjectModel

extension NodeClient {
    /// Bytes that each disk can hold, by which placement weighs them; those that do not answer are taken for the
    /// smallest.
    func capacities(of disks: some Sequence<DiskID>) async -> [DiskID: Int] {
        let disks = disks.sorted()
        let found = await withTaskGroup(of: (DiskID, Int?).self) { group in
            for disk in disks { group.addTask { (disk, (try? await status(disk))?.capacity) } }
            return await group.reduce(into: [DiskID: Int]()) { $0[$1.0] = $1.1 }
        }
        let smallest = found.values.filter { $0 > 0 }.min() ?? 1
        return Dictionary(uniqueKeysWithValues: disks.map { ($0, max(found[$0] ?? 0, smallest)) })
    }
}
