internal import ObjectInterface
internal import ObjectModel

// Storage classes: what must hold of each change.

extension MetadataTransaction {
    func addClass(_ item: StorageClass, groups: [GroupRecord]) throws(MetadataError) {
        guard StorageClass.isName(item.name), item.name != StorageClass.standard else {
            throw .refused(.invalidArgument, "\(item.name) is no name for a storage class.")
        }
        guard groups.allSatisfy({ $0.scheme == item.scheme }) else {
            throw .refused(.invalidArgument, "A class's groups are of its scheme.")
        }
        let known = try view.storageClass(item.name)
        guard known == nil || known == item else {
            throw .refused(.invalidArgument, "Class \(item.name) exists with another scheme.")
        }
        let count = try view.classes().count
        guard known != nil || count < StorageClass.limit else {
            throw .refused(.invalidArgument, "A store has at most \(StorageClass.limit) classes.")
        }
        for group in groups where try self.group(group.id) != nil {
            throw .refused(.invalidArgument, "Group \(group.id) is there already.")
        }
        try checkMembers(of: groups)
        let present = try view.groups()
        guard !groups.isEmpty || present.contains(where: { $0.scheme == item.scheme }) else {
            throw .refused(.invalidArgument, "There is no group of \(item.scheme).")
        }
        var effects: [MetadataEffect] = groups.map { .groupPut($0) }
        if known == nil { effects.append(.classPut(item)) }
        try perform(effects)
    }

    func removeClass(_ name: String) throws(MetadataError) {
        guard try view.storageClass(name) != nil else {
            throw .refused(.invalidArgument, "There is no storage class \(name).")
        }
        let users = try view.buckets(owner: nil).filter { $0.storageClass == name }.map(\.name)
        guard users.isEmpty else {
            throw .refused(.invalidArgument, "It is the default of bucket \(users.joined(separator: ", ")).")
        }
        let rewritten = try view.classRewrites().filter { $0.storageClass == name }.map(\.bucket)
        guard rewritten.isEmpty else {
            throw .refused(.invalidArgument, "Bucket \(rewritten.joined(separator: ", ")) is being rewritten into it.")
        }
        try perform([.classRemoved(name: name)])
    }

    /// A bucket's default must be there.
    func checkClass(_ name: String?) throws(MetadataError) {
        guard let name, try view.storageClass(name) == nil else { return }
        throw .refused(.invalidArgument, "There is no storage class \(name).")
    }

    func setBucketClass(_ bucket: String, _ name: String?) throws(MetadataError) {
        let row = try view.existingBucket(bucket)
        try checkClass(name)
        guard row.bucket.storageClass != name else { return }
        try perform([.bucketClassPut(bucket: bucket, name: name)])
    }
}
