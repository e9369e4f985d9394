"""Starts that come to nothing: what the next one finds, and what its operator is told."""

import os
import shutil
import socket
import subprocess
import threading
import time

import pytest

from support.server import START_SECONDS, STOP_SECONDS, binary, free_port



class Start:
    """One `cairn serve` without keys in its environment: it makes its own."""

    def __init__(self, data, port):
        environment = {name: value for name, value in os.environ.items() if not name.startswith("CAIRN_ROOT_")}
        self.process = subprocess.Popen(
            [binary(), "serve", "--data", str(data), "--listen", f"127.0.0.1:{port}"],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment, text=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.kill()

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()

    def lines_until_ready(self):
        lines, watch = [], threading.Timer(START_SECONDS, self.process.kill)
        watch.start()
        try:
            for line in self.process.stdout:
                lines.append(line.rstrip("\n"))
                if line.startswith("ready: "):
                    return lines
        finally:
            watch.cancel()
        pytest.fail("it ended: " + self.process.stderr.read())

    def errors_after_stop(self):
        self.process.terminate()
        return self.process.communicate(timeout=STOP_SECONDS)[1]


def test_keys_are_shown_by_the_first_start_that_gets_ready(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with Start(tmp_path / "data", taken.getsockname()[1]) as failed:
            assert failed.process.wait(START_SECONDS) != 0
    shown = []
    for _ in range(2):
        with Start(tmp_path / "data", free_port()) as start:
            shown.append([line for line in start.lines_until_ready() if "key: " in line])
    assert len(shown[0]) == 2 and not shown[1]
    kept = (tmp_path / "data" / "credentials").read_text()
    assert all(line.split(": ")[1] in kept for line in shown[0])


def test_a_first_start_can_be_killed_at_any_moment(tmp_path):
    for number in range(14):
        data = tmp_path / "data"
        with Start(data, free_port()) as start:
            time.sleep(0.03 + 0.004 * number)
            start.kill()
        with Start(data, free_port()) as start:
            start.lines_until_ready()
        shutil.rmtree(data)


def test_a_new_master_key_in_place_of_one_that_is_gone_is_told(tmp_path):
    data = tmp_path / "data"
    with Start(data, free_port()) as start:
        start.lines_until_ready()
        kit = tmp_path / "kit"
        subprocess.run([binary(), "admin", "recovery-kit", "--to", str(kit), "--data", str(data)], check=True,
                       capture_output=True)
        assert "warning" not in start.errors_after_stop()
    (data / "master.key").unlink()
    with Start(data, free_port()) as start:
        start.lines_until_ready()
        status = subprocess.run([binary(), "admin", "status", "--data", str(data)], capture_output=True, text=True)
        assert "NOT TAKEN" in status.stdout
        assert "master.key was missing" in start.errors_after_stop()
