"""Plants every bug of this folder, one at a time, and proves that its test notices it (Docs/Testing.md, Mutants).

One build holds them all; CAIRN_MUTANT says which is switched on. Ends with 1 unless every one is caught, and with 2
when a patch no longer applies, a test fails although nothing is planted, or a command runs no test.
"""

from __future__ import annotations

import argparse
import os
import re
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import tree as copies
from mutants import VARIABLE, Broken, Mutant, check_documented, load, switch

# A test that takes longer does not end.
TIMEOUT = 60.0
# Seconds that one seed of the simulator may take, on a machine that is busy.
SEED_TIMEOUT = 3.0
# How the simulator reports a seed.
FAILED_SEED = re.compile(r"^seed (\d+) of \w+ failed: (.*)", re.MULTILINE)


@dataclass(frozen=True)
class Outcome:
    """How a command ended."""

    ended: str
    output: str
    seconds: float


@dataclass(frozen=True)
class Verdict:
    """What became of one mutant."""

    mutant: Mutant
    problem: str
    seconds: float


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tree", type=Path, default=copies.repository() / ".build" / "mutants" / "tree",
                        help="where the patched copy is, or is made")
    parser.add_argument("--no-build", action="store_true", help="use the copy as it was built last")
    parser.add_argument("--check", action="store_true",
                        help="only look whether every patch still applies and is in the page: takes a second")
    parser.add_argument("--only", action="append", default=[], metavar="NAME", help="these mutants only")
    parser.add_argument("--sweep", type=int, metavar="SEEDS",
                        help="instead: try each mutant with so many seeds of the simulator, and say what it catches")
    return parser.parse_args()


def main() -> int:
    options = arguments()
    tree = options.tree.resolve()
    try:
        mutants = load()
        check_documented(mutants)
        if options.check:
            return check_patches(mutants)
        chosen = choose(mutants, options.only)
        if not options.no_build:
            prepare(tree, mutants)
        if options.sweep:
            return sweep(chosen, tree, options.sweep)
        check_healthy(chosen, tree)
        return report([hunt(mutant, tree) for mutant in chosen])
    except Broken as error:
        print(f"mutants: {error}", file=sys.stderr)
        return 2


def choose(mutants: list[Mutant], names: list[str]) -> list[Mutant]:
    unknown = set(names) - {mutant.name for mutant in mutants}
    if unknown:
        raise Broken(f"no such mutant: {', '.join(sorted(unknown))}")
    return [mutant for mutant in mutants if not names or mutant.name in names]


def check_patches(mutants: list[Mutant]) -> int:
    """Applies all patches to a copy that is thrown away."""
    with tempfile.TemporaryDirectory() as folder:
        copies.update(Path(folder) / "tree", patches(mutants))
    print(f"the patches of {len(mutants)} mutants apply")
    return 0


def patches(mutants: list[Mutant]) -> list[Path]:
    return [switch()] + [mutant.patch for mutant in mutants]


def prepare(tree: Path, mutants: list[Mutant]) -> None:
    changed = copies.update(tree, patches(mutants))
    print(f"{changed} files changed in {tree}; building", flush=True)
    copies.build(tree)


# Running


def run(command: str, tree: Path, planted: str, timeout: float = TIMEOUT) -> Outcome:
    """Runs a command of a header in the copy."""
    start = time.monotonic()
    environment = {name: value for name, value in os.environ.items() if name != VARIABLE}
    if planted:
        environment[VARIABLE] = planted
    # A group of its own: what the simulator starts ends with it.
    with subprocess.Popen(
        executable(command, tree), cwd=tree, env=environment, start_new_session=True, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, text=True, errors="replace",
    ) as process:
        try:
            output, _ = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            output, _ = process.communicate()
            return Outcome("hangs", output, time.monotonic() - start)
        except BaseException:
            os.killpg(process.pid, signal.SIGKILL)
            raise
    ended = "passes" if process.returncode == 0 else "crashes" if process.returncode < 0 else "fails"
    return Outcome(ended, output, time.monotonic() - start)


def executable(command: str, tree: Path) -> list[str]:
    """What is built already, without asking the package manager each time."""
    words = shlex.split(command)
    built = tree / ".build" / "release"
    if words[:2] == ["swift", "test"]:
        return [str(built / "cairnPackageTests.xctest"), "--testing-library", "swift-testing"] + words[2:]
    if words[:1] == ["simulator"]:
        return [str(built / "simulator")] + words[1:]
    raise Broken(f"neither `swift test` nor `simulator`: {command}")


def ran_something(outcome: Outcome, command: str) -> bool:
    """A filter that fits no test passes as well."""
    if not command.startswith("swift test"):
        return True
    found = re.search(r"Test run with (\d+) test", outcome.output)
    return found is not None and int(found[1]) > 0


def check_healthy(mutants: list[Mutant], tree: Path) -> None:
    """With nothing planted every command passes."""
    start = time.monotonic()
    for command in sorted({command for mutant in mutants for command in mutant.commands}):
        outcome = run(command, tree, "", limit(command))
        if outcome.ended != "passes":
            raise Broken(f"with nothing planted `{command}` {outcome.ended}:\n{outcome.output[-4_000:]}")
        if not ran_something(outcome, command):
            raise Broken(f"`{command}` runs no test")
    print(f"with nothing planted every test passes ({time.monotonic() - start:.0f} s)", flush=True)


def hunt(mutant: Mutant, tree: Path) -> Verdict:
    """Runs the mutant's command with its bug switched on."""
    problems, seconds = [], 0.0
    for command in mutant.commands:
        outcome = run(command, tree, mutant.name, limit(command))
        problem = judge_simulation(outcome) if command == mutant.simulated else judge(mutant, outcome)
        mark = "caught" if not problem else f"NOT CAUGHT: {problem}"
        name = command.removeprefix("swift test --filter ")
        print(f"{mutant.name:28} {mark:8} {outcome.seconds:6.1f} s  {name}", flush=True)
        if problem and outcome.ended != "passes":
            print(outcome.output[-2_000:])
        problems += [problem] if problem else []
        seconds += outcome.seconds
    return Verdict(mutant, "; ".join(problems), seconds)


def limit(command: str) -> float:
    """How long a command may take: the simulator by its seeds."""
    seeds = re.search(r"--limit (\d+)", command)
    return TIMEOUT + int(seeds[1]) * SEED_TIMEOUT if seeds else TIMEOUT


def judge_simulation(outcome: Outcome) -> str:
    """Empty when a seed failed: any promise that was not kept will do. One whose faults take long to shrink does not
    end, and one that traps ends as it likes."""
    if outcome.ended == "passes":
        return "no seed fails"
    is_named = FAILED_SEED.search(outcome.output) is not None
    return "" if is_named or outcome.ended != "fails" else "the simulator names no seed that fails"


def judge(mutant: Mutant, outcome: Outcome) -> str:
    """Empty when the mutant is caught: its command ended as the header says, for the reason that it says."""
    if outcome.ended == "passes":
        return "its test passes"
    if outcome.ended not in ("fails", mutant.ends):
        return f"its test {outcome.ended}, which the header does not allow"
    if outcome.ended == "fails" and not any(mutant.expect in line for line in failures(mutant, outcome)):
        return f"no failure says '{mutant.expect}'"
    return ""


def failures(mutant: Mutant, outcome: Outcome) -> list[str]:
    """The lines that report a failure: of a test those of issues and what belongs to them, of the simulator all."""
    lines = outcome.output.splitlines()
    if not mutant.run.startswith("swift test"):
        return lines
    return [line for line in lines if "\N{HEAVY BALLOT X}" in line or "\N{DOWNWARDS ARROW WITH TIP RIGHTWARDS}" in line]


def report(verdicts: list[Verdict]) -> int:
    missed = [verdict.mutant.name for verdict in verdicts if verdict.problem]
    caught = len(verdicts) - len(missed)
    print(f"{caught} of {len(verdicts)} planted bugs caught in {sum(verdict.seconds for verdict in verdicts):.0f} s")
    if missed:
        print(f"not caught: {', '.join(missed)}")
    return 1 if missed else 0


# The simulator's share


def sweep(mutants: list[Mutant], tree: Path, seeds: int) -> int:
    """Which mutants the simulator catches, and with which seed: a measure of the simulator.

    A seed that fails is shrunk before it is told; one whose faults take long to shrink ends as what hangs.
    """
    caught = 0
    for mutant in mutants:
        command = f"simulator until-failure --limit {seeds}"
        outcome = run(command, tree, mutant.name, limit(command))
        found = FAILED_SEED.search(outcome.output)
        said = f"seed {found[1]}: {found[2][:80]}" if found else outcome.ended
        caught += 1 if outcome.ended != "passes" else 0
        print(f"{mutant.name:28} {outcome.seconds:6.1f} s  {said}", flush=True)
    print(f"the simulator catches {caught} of {len(mutants)} with up to {seeds} seeds")
    return 0


if __name__ == "__main__":
    sys.exit(main())
