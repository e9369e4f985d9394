import CLinux

/// The heap of this process.
package enum LinuxHeap {
    /// Gives free memory back to the system, which glibc keeps otherwise once it had it. Takes some milliseconds, in
    /// which others wait to allocate: for moments of rest.
    package static func trim() { cairn_trim_heap() }
}
