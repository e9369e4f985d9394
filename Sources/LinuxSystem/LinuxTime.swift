import CLinux
import SystemInterface

/// The machine's clocks.
///
/// The monotonic one is CLOCK_BOOTTIME, which goes on while the machine is suspended: a process that was frozen
/// must find its promises expired when it wakes (DESIGN §7).
package struct LinuxTime: TimeSource {
    package init() {}

    package var monotonic: MonotonicTime { MonotonicTime(nanoseconds: cairn_monotonic()) }
    package var wall: WallTime { WallTime(milliseconds: cairn_wall()) }

    package func sleep(for duration: Duration) async throws { try await Task.sleep(for: duration) }
}
