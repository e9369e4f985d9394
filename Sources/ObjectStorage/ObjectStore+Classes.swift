internal import BlobStorage
internal import Metadata
internal import ObjectInterface
internal import ObjectModel
internal import Placement

// Which scheme the bytes of a request get. A label that is no class of this store is kept like any other: clients name
// AWS's classes out of habit, and an archive must take what they send.
extension ObjectStore {
    /// The label that an object gets: what the client said, else the bucket's default.
    func label(_ said: String, in bucket: Bucket) -> String {
        said == ObjectAttributes.storageClassNotSaid ? bucket.storageClass ?? StorageClass.standard : said
    }

    /// The scheme of an object with this label.
    func scheme(label: String, in bucket: Bucket) throws(StorageError) -> Scheme {
        guard let scheme = blobs.view.scheme(label: label, default: bucket.storageClass) else { throw Self.noGroups }
        return scheme
    }

    /// The scheme of an upload's parts: by the label that it was created with.
    func scheme(of upload: Upload) async throws(StorageError) -> Scheme {
        let label = upload.attributes.storageClass
        // The bucket's default counts for labels alone that are no class.
        if label != StorageClass.standard, blobs.view.map.classes[label] == nil {
            return try scheme(label: label, in: try await bucket(upload.bucket))
        }
        guard let scheme = blobs.view.scheme(label: label, default: nil) else { throw Self.noGroups }
        return scheme
    }

    /// Whether every byte of these extents lies in this scheme.
    func lies(_ extents: [Extent], of detail: VersionDetail, in scheme: Scheme) -> Bool {
        extents.allSatisfy { extent in
            detail.blobs[extent.blob].flatMap { blobs.view.group($0.group) }?.scheme == scheme
        }
    }

    static let noGroups = StorageError(.unavailable, "No placement group is known yet; try again.")
}
