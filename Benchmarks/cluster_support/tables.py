"""Results as tables of Markdown."""


def number(value: float) -> str:
    """Three significant places, as a rate or a time is read."""
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def cell(value) -> str:
    return value if isinstance(value, str) else number(value)


def table(head: list[str], rows: list[list]) -> str:
    return "\n".join(f"| {' | '.join(map(cell, line))} |" for line in [head, ["---"] * len(head), *rows])


def is_met(value: bool) -> str:
    return "met" if value else "**missed**"
