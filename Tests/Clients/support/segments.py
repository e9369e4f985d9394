"""Where shards lie in the segment files of a disk (Docs/DiskFormat.md), for tests that damage them on purpose."""

import json
import pathlib
import struct
from dataclasses import dataclass

BLOCK = 4096
LEAF = 65536
SHARD_HEADER = 108
# A segment's header lies in its first block, again in its second; records begin behind the third.
SEGMENT_HEADER = 4096
LOCATOR = 64
# Of a footer, behind its header.
FOOTER_HEADER, FOOTER_ENTRY = 72, 64


@dataclass(frozen=True)
class Record:
    """A live shard: its file, its blob, and the ranges of the file that mean something, by the name of the part."""

    path: pathlib.Path
    blob: str
    is_packed: bool
    offset: int
    parts: dict[str, range]

    def __hash__(self):
        return hash((self.path, self.offset))


def rounded(length: int) -> int:
    return (length + BLOCK - 1) // BLOCK * BLOCK


def segment_paths(disk: pathlib.Path) -> list[pathlib.Path]:
    return sorted((disk / "segments").glob("*.seg"))


def records(server, disk: pathlib.Path) -> list[Record]:
    """The live shards of a disk, as `cairn inspect disk` sees them, in the order in which they lie."""
    listed = json.loads(server.run("inspect", "disk", disk, "--shards", "--json").stdout)["shardList"]
    found = []
    for row in listed:
        path = disk / "segments" / f"{int(row['segment']):016x}.seg"
        offset, body = int(row["offset"]), int(row["bytes"])
        with open(path, "rb") as file:
            is_packed = struct.unpack("<H", file.read(12)[10:])[0] == 1
            file.seek(offset)
            header = file.read(SHARD_HEADER)
            capacity = struct.unpack_from("<Q", header, 48)[0]
            body_offset = offset + (SHARD_HEADER if is_packed else BLOCK)
            table = body_offset + (capacity if is_packed else rounded(capacity))
            trailer = table + 4 * ((capacity + LEAF - 1) // LEAF)
            file.seek(trailer)
            magic, length = struct.unpack("<4sI", file.read(8))
        assert header[:4] == b"CRec" and magic == b"CTrl", f"no record where inspect says: {path} {offset}"
        parts = {
            "header": range(offset, offset + SHARD_HEADER),
            "body": range(body_offset, body_offset + body),
            "table": range(table, table + 4 * ((body + LEAF - 1) // LEAF)),
            "trailer": range(trailer, trailer + length),
        }
        parts = {name: part for name, part in parts.items() if part}
        found.append(Record(path, row["shard"].split("/")[0], is_packed, offset, parts))
    return sorted(found, key=lambda record: (record.path, record.offset))


def footer(path: pathlib.Path) -> range | None:
    """The header and the entries of a segment's footer; nothing when it has none, as after a kill."""
    with open(path, "rb") as file:
        file.seek(-LOCATOR, 2)
        locator = file.read()
        if locator[:4] != b"CFot":
            return None
        start = struct.unpack_from("<Q", locator, 16)[0]
        file.seek(start)
        header = file.read(FOOTER_HEADER)
    count, size = struct.unpack_from("<II", header, 48)
    assert header[:5] == b"CRec\x03" and size == FOOTER_ENTRY, f"no footer where its locator says: {path} {start}"
    return range(start, start + FOOTER_HEADER + count * FOOTER_ENTRY)


def flip(path: pathlib.Path, offset: int, mask: int):
    with open(path, "r+b") as file:
        file.seek(offset)
        old = file.read(1)[0]
        file.seek(offset)
        file.write(bytes([old ^ mask]))
