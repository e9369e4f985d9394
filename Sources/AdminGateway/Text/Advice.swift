/// What status and doctor say in the same words.
enum Advice {
    /// Without the recovery kit.
    static let lostWithTheMachine =
        "with this machine the users' secret keys would be lost, and a cluster's certificate authority; objects could "
        + "still be read from the disks"
    /// Where no disk is known that could bring shards back.
    static let bringBack =
        "bring back a disk that was taken out, or store the objects again from a copy or their source"
}
