import CLinux

/// What the system lets this process have.
package enum LinuxLimits {
    /// How many files and connections may be open at once, after the limit has been raised as far as it may be. Shells
    /// give 1,024 and would allow many more.
    package static func raiseOpenFiles() -> Int { max(0, Int(cairn_raise_open_files())) }

    /// Bytes of memory that this machine has, or that its control group allows (cgroup v2, `memory.max`), if those are
    /// fewer.
    package static func memory() -> Int { Int(cairn_memory()) }
}
