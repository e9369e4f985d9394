"""A disk replaced by an empty one: how soon every shard is back, and what that costs."""

import dataclasses
import os
import pathlib

from . import disks
from .load import Meter, fill
from .stores import Cluster, Single, is_back
from .tables import is_met, number, table

# Goal of one server of six disks, and what lies on the one that is replaced.
GOAL_SECONDS = 15
GOAL_BYTES = 2.3 * 2**30


@dataclasses.dataclass
class Case:
    """A store that is filled, and the disk of it that will be lost."""

    store: Cluster | Single
    place: str
    folder: pathlib.Path
    # What `disk replace` calls it.
    name: str
    objects: int
    object_bytes: int


@dataclasses.dataclass
class Result:
    """Bytes of shards that the disk held and holds, and seconds until they were back and until all was counted."""

    held: int
    returned: int
    shards: int
    back: float
    back_cpu: float
    verified: float
    verified_cpu: float
    # What the device beneath all folders gave and took until the shards were back.
    read: int
    written: int
    data_shards: int


def of_cluster(options) -> str:
    with Cluster(options.folder, options.sites, options.nodes, options.disks, scheme=options.scheme,
                 binary=options.binary) as lab:
        object_bytes = fill(lab, options.count)
        name = lab.nodes()[1].name
        place = lab.place(name, 1)
        case = Case(lab, place, lab.disk(name, 1), place, options.count, object_bytes)
        rows = figures(case, replace(case, options), disks.speed(options.folder))
    return f"### A disk of the lab replaced: {options.scheme}\n\n{table(['what', 'found'], rows)}"


def of_single(options) -> str:
    with Single(options.folder, options.binary, "--scheme", options.single_scheme, "--disks", 6) as store:
        object_bytes = fill(store, options.single_count)
        place = sorted(store.live_bytes())[1]
        folder = store.disk_folder(place)
        case = Case(store, place, folder, str(folder), options.single_count, object_bytes)
        result = replace(case, options)
        rows = figures(case, result, disks.speed(options.folder))
    if result.held >= GOAL_BYTES:
        rows.append([f"goal: within {GOAL_SECONDS} s", is_met(result.back <= GOAL_SECONDS)])
    return f"### A disk of one process with six replaced: {options.single_scheme}\n\n{table(['what', 'found'], rows)}"


def replace(case: Case, options) -> Result:
    """Loses the disk, puts an empty one in its place, and waits. What is read for it comes from the disks, unless the
    page cache is to stay as the uploads left it."""
    store = case.store
    store.wait_until_whole()
    held = store.live_bytes()[case.place]
    disks.destroy(case.folder)
    store.wait_for("missed", lambda status: any(disk["state"] != "healthy" for disk in status["disks"]))
    if not options.warm:
        disks.drop_caches()
    meter, traffic = Meter(store), disks.Traffic(case.folder)
    store.admin("disk", "replace", case.name)
    store.wait_for("back", is_back)
    back, back_cpu, (read, written, _) = meter.seconds, meter.cpu_seconds, traffic.moved()
    status = store.wait_until_whole()
    return Result(held, store.live_bytes()[case.place], status["verification"]["shardsExpected"], back, back_cpu,
                  meter.seconds, meter.cpu_seconds, read, written, status["dataShards"])


def figures(case: Case, result: Result, speed: dict[str, float]) -> list[list[str]]:
    held, k = result.held / 1e6, result.data_shards
    # All folders lie on one disk, which gives k shards for each that it takes.
    floor = held / speed["write"] + k * held / speed["read"]
    return [
        ["objects", f"{case.objects}, {number(case.object_bytes / 1e9)} GB"],
        ["shards on the disk", f"{number(held)} MB; {number(result.returned / 1e6)} MB afterwards"],
        ["every shard back", f"{number(result.back)} s"],
        ["every shard of the store verified", f"{number(result.verified)} s, {result.shards:,} shards"],
        ["rebuilt, bytes of shards", f"{number(held / result.back)} MB/s, "
                                     f"{number(held / result.back / os.cpu_count())} MB/s for each core"],
        ["rebuilt, bytes of objects (k for each of a shard)", f"{number(k * held / result.back)} MB/s"],
        ["CPU of all processes until back", f"{number(result.back_cpu)} s, {number(result.back_cpu / held * 1e3)} s "
                                            f"a GB of shards; {number(result.verified_cpu)} s until verified"],
        ["the disk alone", f"writes {number(speed['write'])} MB/s, {number(speed['flush'])} with a flush a MiB, "
                           f"reads {number(speed['read'])} MB/s"],
        ["the disk meanwhile", f"{number(result.read / 1e9)} GB read, {number(result.written / 1e9)} GB written: "
                               f"{number((result.read + result.written) / 1e6 / result.back)} MB/s"],
        ["share of what it writes alone", f"{100 * held / result.back / speed['write']:.0f} %"],
        ["share of what it can do, k read for each written", f"{100 * floor / result.back:.0f} %"],
    ]
