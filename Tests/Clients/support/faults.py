"""Faults at the n-th file call of a server, or at all from there on: the test's side of the library in Tests/Faults."""

import errno
import mmap
import os
import pathlib
import struct
import time

# The layout of `struct plan` in Tests/Faults/plan.h.
MAGIC = 0x43464C54
LENGTH = 56 + 256 + 512 + 32 + 8
ARMED, TARGET, ACTION, COUNTED, HITS, HIT_KIND, LOADED, MATCH, HIT_PATH, HIT_CALL, LAST = (
    4, 8, 16, 32, 40, 48, 52, 56, 312, 824, 856
)
MATCH_ROOM, PATH_ROOM, CALL_ROOM = 256, 512, 32

WRITE, SYNC, ALLOCATE, NAME, READ = 1, 2, 4, 8, 16
# What changes a disk.
CHANGES = WRITE | SYNC | ALLOCATE | NAME

KILL, TORN, FAIL, SHORT, DELAY = 1, 2, 3, 4, 5
FOR_EVER = 2 ** 64 - 1


def library() -> pathlib.Path:
    """The library, built by `make`; $CAIRN_FAULTS names another."""
    default = pathlib.Path(__file__).resolve().parents[3] / ".build" / "faults" / "faults.so"
    path = pathlib.Path(os.environ.get("CAIRN_FAULTS") or default).resolve()
    if not path.is_file():
        raise RuntimeError(f"no library at {path}: run `make faults`")
    return path


class Faults:
    """A plan that a server carries out on the files below `root`; given to it as environment when it starts."""

    def __init__(self, root, control, speed: int = 1):
        self.root, self.control, self.speed = pathlib.Path(root).resolve(), pathlib.Path(control), speed
        self.control.write_bytes(struct.pack("<I", MAGIC).ljust(LENGTH, b"\0"))
        with open(self.control, "r+b") as file:
            self.memory = mmap.mmap(file.fileno(), LENGTH)

    def environment(self) -> dict[str, str]:
        return {
            "LD_PRELOAD": str(library()),
            "FAULTS_ROOT": str(self.root),
            "FAULTS_CONTROL": str(self.control),
            "FAULTS_SPEED": str(self.speed),
        }

    def arm(self, target: int, action: int, kinds: int = CHANGES, error: int = errno.EIO, match: str = "",
            delay: float = 0, lasts: bool = False):
        """From now on calls count; the `target`-th meets its fault. 0 only counts. What `lasts` befalls all that
        follow as well, until `disarm`."""
        self.disarm()
        self.memory[LAST:LAST + 8] = struct.pack("<Q", FOR_EVER if lasts else 0)
        self.memory[TARGET:TARGET + 24] = struct.pack("<QIIiI", target, action, kinds, error, int(delay * 1000))
        self.memory[COUNTED:COUNTED + 20] = bytes(20)
        for offset, room in ((HIT_PATH, PATH_ROOM), (HIT_CALL, CALL_ROOM)):
            self.memory[offset:offset + room] = bytes(room)
        text = match.encode()
        assert len(text) < MATCH_ROOM
        self.memory[MATCH:MATCH + MATCH_ROOM] = text.ljust(MATCH_ROOM, b"\0")
        self.memory[ARMED:ARMED + 4] = struct.pack("<I", 1)

    def disarm(self):
        self.memory[ARMED:ARMED + 4] = bytes(4)

    def _number(self, offset: int, format: str) -> int:
        return struct.unpack_from(format, self.memory, offset)[0]

    @property
    def counted(self) -> int:
        return self._number(COUNTED, "<Q")

    @property
    def hits(self) -> int:
        """Calls that met the fault."""
        return self._number(HITS, "<Q")

    @property
    def is_hit(self) -> bool:
        return self.hits > 0

    @property
    def loaded(self) -> int:
        """Processes that have taken the library up so far."""
        return self._number(LOADED, "<I")

    @property
    def hit(self) -> str:
        """The call that met its fault, as text."""
        call, path = (
            bytes(self.memory[offset:offset + room]).split(b"\0")[0].decode(errors="replace")
            for offset, room in ((HIT_CALL, CALL_ROOM), (HIT_PATH, PATH_ROOM))
        )
        return f"{call} {path.removeprefix(str(self.root))}"

    def settle(self, quiet: float, seconds: float, until=lambda: False):
        """Waits until no call was counted for `quiet` seconds, at most `seconds`, or until `until`."""
        deadline, last, since = time.monotonic() + seconds, self.counted, time.monotonic()
        while time.monotonic() < deadline and not until():
            time.sleep(0.005)
            if self.counted != last:
                last, since = self.counted, time.monotonic()
            elif time.monotonic() - since >= quiet:
                return
