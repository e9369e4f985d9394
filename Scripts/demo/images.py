"""Real DICOM files, and larger ones built from them: the small examples that come inside the pydicom package."""

import hashlib
import pathlib
import random

import pydicom
import pydicom.data
from pydicom.encaps import encapsulate
from pydicom.uid import JPEGBaseline8Bit, generate_uid

ROWS = COLUMNS = 512
# Bytes of one tile of the whole-slide file: what a pathology scanner's JPEG tile of 512 × 512 pixels has.
TILE = 64 << 10
LOWEST_BITS = int.from_bytes(b"\7\0" * COLUMNS, "little")
PIXEL_DATA = 0x7FE00010
PREFIX = "1.2.826.0.1.3680043.8.498."


def examples() -> list[pathlib.Path]:
    """The DICOM files that lie inside pydicom itself; nothing is fetched."""
    folder = pathlib.Path(pydicom.data.__file__).parent / "test_files"
    found = [path for path in sorted(folder.rglob("*")) if path.is_file() and is_dicom(path)]
    if not found:
        raise SystemExit("demo: no DICOM files inside pydicom; is it installed whole?")
    return found


def is_dicom(path: pathlib.Path) -> bool:
    with open(path, "rb") as file:
        file.seek(128)
        return file.read(4) == b"DICM"


def sha256(path: pathlib.Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def build_study(folder: pathlib.Path, slices: int) -> list[pathlib.Path]:
    """A CT study of `slices` slices of 512 × 512 pixels, about 0.5 MB each, made from pydicom's small CT."""
    source = next(path for path in examples() if path.name == "CT_small.dcm")
    folder.mkdir(parents=True, exist_ok=True)
    data = pydicom.dcmread(source)
    width = data.Columns * 2
    rows = [data.PixelData[start:start + width] for start in range(0, data.Rows * width, width)]
    data.StudyInstanceUID = generate_uid(PREFIX, ["study"])
    data.SeriesInstanceUID = generate_uid(PREFIX, ["series"])
    data.Rows, data.Columns = ROWS, COLUMNS
    made = []
    for number in range(slices):
        noise = random.Random(number)
        data.SOPInstanceUID = generate_uid(PREFIX, [f"slice {number}"])
        data.file_meta.MediaStorageSOPInstanceUID = data.SOPInstanceUID
        data.InstanceNumber = number + 1
        data.SliceLocation = str(number)
        data.PixelData = b"".join(magnified(rows[(row // 4 + number) % len(rows)], noise) for row in range(ROWS))
        path = folder / f"slice-{number + 1:04}.dcm"
        data.save_as(path)
        made.append(path)
    return made


def magnified(row: bytes, noise: random.Random) -> bytes:
    """A row of 16-bit pixels four times as wide, with a scanner's noise in the three lowest bits of each."""
    wide = b"".join(row[index:index + 2] * 4 for index in range(0, len(row), 2))[:COLUMNS * 2]
    grain = noise.getrandbits(COLUMNS * 16) & LOWEST_BITS
    return (int.from_bytes(wide, "little") ^ grain).to_bytes(COLUMNS * 2, "little")


def build_slide(path: pathlib.Path, size: int) -> pathlib.Path:
    """A file like a scanned slide: a DICOM head, then thousands of tiles that do not compress, about `size` bytes."""
    source = next(path for path in examples() if path.name == "CT_small.dcm")
    data = pydicom.dcmread(source)
    data.file_meta.TransferSyntaxUID = JPEGBaseline8Bit
    data.SOPClassUID = "1.2.840.10008.5.1.4.1.1.77.1.6"  # VL Whole Slide Microscopy Image Storage
    data.file_meta.MediaStorageSOPClassUID = data.SOPClassUID
    data.SOPInstanceUID = generate_uid(PREFIX, ["slide"])
    data.file_meta.MediaStorageSOPInstanceUID = data.SOPInstanceUID
    for element in [element for element in data if element.tag > PIXEL_DATA]:
        del data[element.tag]  # Padding behind the pixels; the tiles are to be the file's end.
    data.NumberOfFrames = max(1, size // TILE)
    tile = random.Random("tile").randbytes(TILE)
    data.PixelData = encapsulate([tile], has_bot=False)
    data["PixelData"].is_undefined_length = True
    path.parent.mkdir(parents=True, exist_ok=True)
    data.save_as(path)
    append_tiles(path, size)
    return path


def append_tiles(path: pathlib.Path, size: int):
    """Further tiles behind the first, before the delimiter that ends the pixel data."""
    delimiter = b"\xfe\xff\xdd\xe0\0\0\0\0"
    with open(path, "r+b") as file:
        file.seek(-len(delimiter), 2)
        if file.read() != delimiter:
            raise SystemExit("demo: the slide does not end as encapsulated pixel data does")
        file.seek(-len(delimiter), 2)
        noise = random.Random("slide")
        while file.tell() < size:
            file.write(b"\xfe\xff\x00\xe0" + TILE.to_bytes(4, "little") + noise.randbytes(TILE))
        file.write(delimiter)
