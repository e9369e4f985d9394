"""What a mutant is: a patch that plants one bug behind a switch, and the test that must notice it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
PAGE = FOLDER.parent.parent / "Docs" / "Testing.md"
# Every patch asks this variable, through `isPlanted`, whether its bug is switched on.
VARIABLE = "CAIRN_MUTANT"
FIELDS = ("Planted", "Breaks", "From", "Run", "Expect")
# How a caught mutant may end: its test fails; or, where the header says so, it crashes or does not end.
ENDS = ("fails", "crashes", "hangs")


class Broken(Exception):
    """The mutants, or the tree that they are planted in, are not as they should be."""


@dataclass(frozen=True)
class Mutant:
    """A planted bug."""

    name: str
    patch: Path
    planted: str
    run: str
    expect: str
    ends: str
    # A second command, of the simulator, which must find it as well; empty for most.
    simulated: str

    @property
    def row(self) -> str:
        """Its line of the table in Docs/Testing.md."""
        also = ", simulator" if self.simulated else ""
        return f"| `{self.name}` | {self.planted} | `{self.test}`{also} |"

    @property
    def commands(self) -> list[str]:
        """What must notice it, each by itself."""
        return [self.run] + ([self.simulated] if self.simulated else [])

    @property
    def test(self) -> str:
        """The command without what all of them have."""
        return self.run.removeprefix("swift test --filter ")


def switch() -> Path:
    """The patch that adds `isPlanted`; the others need it."""
    return FOLDER / "00-switch.patch"


def load() -> list[Mutant]:
    """All mutants, in the order of their numbers."""
    mutants = [parse(path) for path in sorted(FOLDER.glob("*.patch")) if path != switch()]
    names = [mutant.name for mutant in mutants]
    if len(set(names)) < len(names):
        raise Broken("two mutants have one name")
    return mutants


def check_documented(mutants: list[Mutant]) -> None:
    """The page has a line for every mutant, and for no other."""
    rows = [line for line in PAGE.read_text().splitlines() if re.match(r"\| `[a-z0-9-]+` \| [^|]+\. \|", line)]
    wrong = sorted(set(rows) ^ {mutant.row for mutant in mutants})
    if wrong:
        raise Broken("the table in Docs/Testing.md is not what the patches say:\n" + "\n".join(wrong))


def parse(path: Path) -> Mutant:
    """A mutant from the header of its patch. Throws when the header lacks something, or the patch its switch."""
    text = path.read_text()
    fields = header(text)
    missing = [field for field in FIELDS if not fields.get(field)]
    if missing:
        raise Broken(f"{path.name}: the header lacks {', '.join(missing)}")
    name = path.stem.split("-", 1)[1]
    asked = set(re.findall(r'^\+.*isPlanted\("([^"]+)"\)', text, re.MULTILINE))
    if asked != {name}:
        raise Broken(f"{path.name}: its switch must be isPlanted(\"{name}\"), and is {sorted(asked)}")
    ends = fields.get("Ends", "fails")
    if ends not in ENDS:
        raise Broken(f"{path.name}: Ends is one of {', '.join(ENDS)}")
    runs = fields["Run"].split("\n")
    if len(runs) > 2 or any(not run.startswith("simulator ") for run in runs[1:]):
        raise Broken(f"{path.name}: a second Run is one of the simulator, and the last")
    return Mutant(name, path, fields["Planted"], runs[0], fields["Expect"], ends, "".join(runs[1:]))


def header(text: str) -> dict[str, str]:
    """The comment lines before the diff: `# Field: value`, gone on with in lines that are indented. A field that comes
    again is one line more of it."""
    fields: dict[str, str] = {}
    last = ""
    for line in text.splitlines():
        if not line.startswith("#"):
            break
        content = line[1:]
        found = re.match(r" (\w+): (.*)", content)
        if found:
            last = found[1]
            fields[last] = f"{fields[last]}\n{found[2]}" if last in fields else found[2]
        else:
            fields[last] = f"{fields.get(last, '')} {content.strip()}"
    return fields
