"""Folders of files as an archive has them, and the comparison of two."""

import pathlib

from .data import KIB, MIB, file_sha256, noise, text

FILES = {
    "study 1/series+1/slice-001.dcm": noise(513 * KIB, 1),
    "study 1/series+1/slice-002.dcm": noise(514 * KIB, 2),
    "study 1/series+2/frame.dcm": noise(9 * MIB + 5, 3),
    "study 1/reports/Befund Müller.txt": text(20_000, 4),
    "study 2/画像.dcm": noise(300 * KIB, 5),
    "study 2/empty": b"",
    "study 2/one byte": b"x",
    "index.json": text(MIB, 6),
}


def make(folder: pathlib.Path, files=None) -> pathlib.Path:
    for name, data in (files or FILES).items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return folder


def digests(folder: pathlib.Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): file_sha256(path) for path in sorted(folder.rglob("*")) if path.is_file()
    }
