"""Command-line clients, run with an environment that knows one endpoint and nothing of the user's own."""

import pathlib
import shutil
import subprocess
import sys

TIMEOUT = 600


def tool(name: str) -> str:
    """A program beside this Python (awscli), else on the path; `make test` installs all of them."""
    beside = pathlib.Path(sys.executable).parent / name
    found = str(beside) if beside.exists() else shutil.which(name)
    assert found, f"{name} is not installed: run `make test-clients`, which installs it"
    return found


def run(endpoint, home, name, *arguments, check=True, extra=None, stdin=None, text=True):
    """Runs a client to its end; a failure shows all that it said."""
    result = subprocess.run(
        [tool(name), *map(str, arguments)],
        env={**endpoint.environment(home), **(extra or {})},
        cwd=home, input=stdin, capture_output=True, text=text, timeout=TIMEOUT,
    )
    if check and result.returncode != 0:
        raise AssertionError(f"{name} {arguments} ended with {result.returncode}\n{result.stdout}\n{result.stderr}")
    return result
