"""The patched copy of the working tree that holds all mutants, and its build."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from mutants import FOLDER, Broken

# The versions that the packages of this build were taken in: not tracked, and the copy shall have the same.
RESOLVED = Path("Package.resolved")
# What a copy makes for itself and keeps from one run to the next.
OWN = {".build", ".git", ".venv", str(RESOLVED)}


def repository() -> Path:
    """The working tree that this file is part of."""
    return FOLDER.parent.parent


def update(tree: Path, patches: list[Path]) -> int:
    """Makes `tree` the working tree with all patches. Files that stay as they are keep their times, so that a build
    goes on from the one before. Returns how many files changed."""
    check_place(tree)
    with tempfile.TemporaryDirectory() as folder:
        stage = Path(folder)
        wanted = working_files()
        for path in wanted:
            copy(repository() / path, stage / path)
        for patch in patches:
            apply(patch, stage)
        return synchronize(stage, tree)


def check_place(tree: Path) -> None:
    """What is in the folder of the copy is overwritten, so it must be a copy."""
    if tree.resolve() == repository():
        raise Broken("the mutants would be planted in the working tree itself")
    if tree.is_dir() and any(tree.iterdir()) and not (tree / "Package.swift").is_file():
        raise Broken(f"{tree} is neither empty nor a copy of this tree")


def working_files() -> list[Path]:
    """Tracked files and new ones, as they are now; of what git ignores only the versions of packages. Without a
    repository that git will read (an archive, a checkout of somebody else's) all files."""
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=repository(), capture_output=True, text=True,
    )
    if listing.returncode == 0:
        paths = {Path(name) for name in listing.stdout.split("\0") if name}
    else:
        paths = present(repository())
    return sorted(path for path in paths | {RESOLVED} if (repository() / path).is_file())


def apply(patch: Path, stage: Path) -> None:
    """Applies one patch. One that no longer fits is an error: the bug that it plants is not tested any more."""
    # Else git looks for a repository above, and takes the paths for names in that.
    environment = os.environ | {"GIT_CEILING_DIRECTORIES": str(stage.parent)}
    result = subprocess.run(
        ["git", "apply", str(patch)], cwd=stage, env=environment, capture_output=True, text=True
    )
    if result.returncode != 0:
        raise Broken(f"{patch.name} no longer applies: write it anew.\n{result.stderr.strip()}")


def copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(source, target)


def synchronize(stage: Path, tree: Path) -> int:
    """Copies what differs and removes what is gone."""
    changed = 0
    wanted = {path.relative_to(stage) for path in stage.rglob("*") if path.is_file()}
    for path in sorted(wanted):
        target = tree / path
        if target.is_file() and target.read_bytes() == (stage / path).read_bytes():
            continue
        copy(stage / path, target)
        changed += 1
    for path in sorted(present(tree) - wanted):
        (tree / path).unlink()
        changed += 1
    return changed


def present(tree: Path) -> set[Path]:
    """The files of the copy, but for what it made for itself."""
    found: set[Path] = set()
    for folder, names, files in os.walk(tree):
        if Path(folder) == tree:
            names[:] = [name for name in names if name not in OWN]
            files = [file for file in files if file not in OWN]
        found |= {(Path(folder) / file).relative_to(tree) for file in files}
    return found


def build(tree: Path) -> None:
    """Tests and simulator with all mutants in them, in the configuration of `make test`."""
    command = ["swift", "build", "-c", "release", "--build-tests"]
    if subprocess.run(command, cwd=tree).returncode != 0:
        raise Broken("the tree with all mutants does not build")
