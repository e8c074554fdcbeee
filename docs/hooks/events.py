"""Writes the table of events from ``sessile.events``: the docs show what the code tells."""

from __future__ import annotations

import logging
from typing import Any

from sessile.events import LINES, WINDOW, EventKind

MARK = "<!-- events -->"


def table() -> str:
    """Return all events, as tables of Markdown: a heading a level, the gravest first."""
    lines = [
        f"Lines that are limited: of each event a process writes {LINES} in {WINDOW:g} seconds, and then one that says "
        "how many more there were.",
    ]
    for level in sorted({happening.level for happening in EventKind}, reverse=True):
        lines += [
            "",
            f"## {logging.getLevelName(level)}",
            "",
            "| event | when | what to do | limited |",
            "|---|---|---|:-:|",
        ]
        for happening in EventKind:
            if happening.level == level:
                limited = "yes" if happening.limited else ""
                lines.append(f"| `{happening.label}` | {happening.when} | {happening.remedy} | {limited} |")
    return "\n".join(lines)


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Put the table where a page has the mark (a hook of MkDocs)."""
    return markdown.replace(MARK, table()) if MARK in markdown else markdown
