import ClusterProtocol

/// Prometheus text, the lines of one metric together as that format wants.
struct MetricText {
    private var names: [String] = []
    private var lines: [String: String] = [:]

    init() {}

    var text: String { names.map { lines[$0] ?? "" }.joined() }

    mutating func add(_ name: String, _ help: String, _ value: Int, _ label: String? = nil) {
        if lines[name] == nil {
            names.append(name)
            let type = name.hasSuffix("_total") ? "counter" : "gauge"
            lines[name] = "# HELP \(name) \(help)\n# TYPE \(name) \(type)\n"
        }
        lines[name, default: ""] += name + (label.map { "{\($0)}" } ?? "") + " \(value)\n"
    }

    /// Which disk a line is of: slots of different nodes may be called the same.
    static func disk(_ slot: String, node: String, site: String) -> String {
        [label("disk", slot), label("node", node), label("site", site)].joined(separator: ",")
    }

    static func label(_ name: String, _ value: String) -> String { "\(name)=\"\(escaped(value))\"" }

    private static func escaped(_ value: String) -> String {
        value.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"").replacing("\n", with: "\\n")
    }

    /// `status`: nil when the disk is not there.
    mutating func addDisk(_ label: String, _ status: DiskStatus?) {
        add("cairn_disk_served", "1 while the disk is used.", status?.isUsable ?? false ? 1 : 0, label)
        let isFailed = status.map { !$0.isUsable } ?? false
        add("cairn_disk_failed", "1 while the disk is there and does not work.", isFailed ? 1 : 0, label)
        let hangs = status?.hangs ?? false
        let idle = "1 while a write to the disk does not end, or it can make no new segment; it is read."
        add("cairn_disk_hanging", idle, hangs ? 1 : 0, label)
        guard let status else { return }
        add("cairn_disk_capacity_bytes", "Bytes of the disk's file system.", status.capacity, label)
        add("cairn_disk_room_bytes", "Bytes the disk may still take.", status.room, label)
        add("cairn_disk_live_bytes", "Bytes of live shards.", status.liveBytes, label)
        add("cairn_disk_dead_bytes", "Bytes that compaction can win back.", status.deadBytes, label)
        add("cairn_disk_shards", "Shards on the disk.", status.shardCount, label)
    }
}
