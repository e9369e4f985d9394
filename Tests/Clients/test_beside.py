"""What `make test` runs its rows with: one that fails fails it, and none outlives it."""

import pathlib
import signal
import subprocess
import time

import pytest

from support.server import ROOT, wait_for

BESIDE = ROOT / "Scripts/test/beside"
SECONDS = 30


@pytest.fixture
def log(folder):
    return folder / "quiet.log"


def run(log, *rows) -> subprocess.CompletedProcess:
    return subprocess.run([BESIDE, log, *rows], capture_output=True, text=True, timeout=SECONDS)


def test_what_the_rows_print_is_shown_one_after_the_other(log):
    done = run(log, "echo quiet", "sleep 0.2; echo first", "echo second", "echo third")
    assert (done.returncode, done.stdout.split()) == (0, ["first", "second", "third", "quiet"]), done


@pytest.mark.parametrize("failing", range(4))
def test_a_row_that_fails_fails_all_and_the_others_end(log, failing):
    rows = ["true"] * 4
    rows[failing] = "echo failed; exit 3"
    done = run(log, *rows)
    assert done.returncode == 3 and "failed" in done.stdout, done


def test_the_quiet_row_is_stopped_when_a_loud_one_has_failed(log):
    began = time.monotonic()
    assert run(log, f"sleep {2 * SECONDS}", "false", "true").returncode == 1
    assert time.monotonic() - began < SECONDS


def test_what_is_stopped_stops_what_it_started(log, folder):
    rows = [f"sleep {SECONDS} & echo $! >{folder}/{number}; wait" for number in range(3)]
    process = subprocess.Popen([BESIDE, log, *rows])
    files = [folder / str(number) for number in range(3)]
    wait_for(lambda: all(file.is_file() and file.read_text().strip() for file in files), SECONDS)
    children = [int(file.read_text()) for file in files]
    process.send_signal(signal.SIGTERM)
    assert process.wait(SECONDS) == 143
    wait_for(lambda: not any(runs(child) for child in children), SECONDS)


def runs(process: int) -> bool:
    """One that has ended and whose end nobody has asked for yet (Z) does not."""
    try:
        stat = pathlib.Path(f"/proc/{process}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"
