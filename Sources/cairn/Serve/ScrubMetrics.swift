import Coordination
import Metadata
import ObjectModel

extension MetricText {
    /// What the scrub says of itself, in all and by disk.
    mutating func addScrub(_ scrub: ScrubStatus, disks: [StoreDiskStatus]) {
        add(
            "cairn_scrub_oldest_seconds",
            "Since the bytes of all disks were verified that were not verified for longest.",
            scrub.oldestSeconds
        )
        add("cairn_scrub_period_seconds", "Within which every byte is to be verified.", seconds(scrub.settings.period))
        add(
            "cairn_scrub_re_encode_oldest_seconds",
            "Since the stripes were coded again for which that is longest ago.",
            scrub.stripes.oldestSeconds
        )
        add(
            "cairn_scrub_re_encode_period_seconds",
            "Within which every stripe is to be coded again.",
            seconds(scrub.settings.codingPeriod)
        )
        add("cairn_scrub_paused", "1 while an operator has paused the scrub.", scrub.isPaused ? 1 : 0)
        add("cairn_scrub_shards_total", "Shards the scrub has read since start.", scrub.totals.shards)
        add("cairn_scrub_bytes_total", "Bytes of them.", scrub.totals.bytes)
        add("cairn_scrub_bad_shards_total", "Shards it has handed to repair since start.", scrub.totals.bad)
        add("cairn_scrub_absent_shards_total", "Of them, shards that their disks did not have.", scrub.totals.absent)
        add("cairn_scrub_re_encoded_blobs_total", "Blobs coded again since start.", scrub.totals.blobsChecked)
        add("cairn_scrub_miscoded_blobs_total", "Of them, blobs that did not fit.", scrub.totals.blobsMiscoded)
        add("cairn_scrub_damaged_blobs", "Blobs whose bytes are not those that came in.", scrub.damaged.count)
        for disk in disks {
            guard let walk = scrub.disks[disk.record.id] else { continue }
            add(
                "cairn_scrub_oldest_unverified_seconds",
                "Since the bytes of the disk were verified that were not verified for longest.",
                walk.oldestSeconds,
                Self.disk(disk.record.slot, node: disk.record.node.name, site: disk.record.site.name)
            )
        }
    }

    private func seconds(_ duration: Duration) -> Int { Int(duration.components.seconds) }
}
