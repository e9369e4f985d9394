"""The same work on the lab and on one process with as many disks, and what each spends on it."""

from . import disks
from .load import bench
from .stores import Cluster, Single
from .tables import table

WORKS = [("put", "64MiB", 1), ("put", "64MiB", 4), ("get", "64MiB", 1), ("get", "64MiB", 4), ("put", "512KiB", 1),
         ("put", "512KiB", 16), ("get", "512KiB", 1), ("get", "512KiB", 16)]

# What is read: half a gigabyte.
OBJECTS = {"64MiB": 8, "512KiB": 1000}


def run(options) -> str:
    nodes = options.sites * options.nodes
    count = nodes * options.disks
    with Single(options.folder, options.binary, "--scheme", options.scheme, "--sites", options.sites, "--nodes", nodes,
                "--disks", count) as store:
        single = measure(store, options)
    disks.settle(options.folder.parent)
    with Cluster(options.folder, options.sites, options.nodes, options.disks, scheme=options.scheme,
                 binary=options.binary) as lab:
        several = measure(lab, options)
    rows = []
    for work, one, many in zip(WORKS, single, several):
        rows.append([f"{work[0].upper()} {work[1]} × {work[2]}", *cells(one), *cells(many),
                     f"{cost(many) / cost(one):.1f} ×"])
    head = ["work", "one process, MB/s", "p50 ms", "CPU s/GB", "lab, MB/s", "p50 ms", "CPU s/GB", "CPU lab / one"]
    return f"### The lab against one process: {options.scheme}, {count} disks each\n\n{table(head, rows)}"


def cost(report: dict) -> float:
    """CPU seconds of all processes of the store for each GB."""
    return report["server"]["cpu"]["secondsPerGigabyte"]


def cells(report: dict) -> list:
    return [report["total"]["megabytesPerSecond"], report["total"]["p50"], cost(report)]


def measure(store, options) -> list[dict]:
    pids = [word for pid in store.pids() for word in ("--server-pid", pid)]
    reports = []
    for work, size, threads in WORKS:
        load = ["--size", size, "--concurrency", threads, "--prefix", f"{work}/{size}/{threads}/"]
        if work == "get":
            # Written before, and by now on the disks as well as in the page cache.
            bench(store, "put", *load, "--count", OBJECTS[size])
            load += ["--existing", "--objects", OBJECTS[size]]
        disks.settle(options.folder.parent)
        reports.append(bench(store, work, *load, "--duration", f"{options.seconds:.0f}s", *pids))
    return reports
