"""Writes docs/reference/frameworks.md: what the suite proves, for which framework.

python -m tests.integrations.page > docs/reference/frameworks.md
"""

from __future__ import annotations

from tests.integrations.behaviours import SECTIONS, behaviours
from tests.integrations.table import SITES

HEAD = """# What holds in every framework

For each framework a small application runs under its real server, and one suite of tests drives them all over HTTP. A row is a
behaviour, a column an application and its server. This page is written by the suite.
"""


def page() -> str:
    """Return the page."""
    lines = [HEAD]
    reasons: dict[str, int] = {}
    for section in SECTIONS:
        lines += [f"## {section.__doc__}", "", "| | " + " | ".join(site.name for site in SITES) + " |"]
        lines.append("|---|" + ":-:|" * len(SITES))
        for name, behaviour in behaviours(section).items():
            cells = []
            for site in SITES:
                reason = site.lacks.get(name)
                cells.append("yes" if reason is None else f"no ({reasons.setdefault(reason, len(reasons) + 1)})")
            rule = " ".join((behaviour.__doc__ or "").split()).replace("|", "\\|")
            lines.append(f"| {rule} | " + " | ".join(cells) + " |")
        lines.append("")
    if reasons:
        lines += [
            "## Why not",
            "",
            *(f"{number}. {reason[:1].upper()}{reason[1:]}." for reason, number in reasons.items()),
            "",
        ]
    return "\n".join(lines)


if __name__ == "__main__":
    print(page(), end="")
