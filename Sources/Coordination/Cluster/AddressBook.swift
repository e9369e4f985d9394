/// Where the processes of the cluster take calls: what a transport between machines looks up.
package protocol AddressBook: Sendable {
    /// Calls to `node` go there from here on.
    func setAddress(_ node: String, host: String, port: Int)
}

/// The name under which every node reaches the coordinator, wherever that is.
package enum CoordinatorName {
    package static let name = "coordinator"
}
