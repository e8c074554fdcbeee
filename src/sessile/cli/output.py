# For people a table that fits the window; for programs, with --json, one object a line, so that a list of any length
# can be read as it comes. What was typed by visitors is never taken for markup, nor for what moves a terminal's cursor.
"""What a command prints."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from typing import Annotated, Any

import typer
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from sessile._records.attributes import iso

__all__ = ["Json", "bytes_of", "console", "emit", "grid", "moment", "note", "plain", "print_table"]

#: As wide as it takes: nobody's window, but the other end of a pipe.
WIDE = 10_000

#: Between two columns.
GAP = 2

Json = Annotated[bool, typer.Option("--json", help="Print JSON, one object a line, for programs.")]


def console() -> Console:
    """Return where tables are printed: coloured and as wide as the window on a terminal, plain in a pipe."""
    width = None if sys.stdout.isatty() or os.environ.get("COLUMNS") else WIDE
    return Console(width=width, highlight=False, emoji=False)


def print_table(columns: Sequence[str], rows: Sequence[Sequence[Text]], cut: int) -> None:
    """Print a table. If it is wider than the window, the cells of column ``cut`` are cut short."""
    out = console()
    widths = [max(map(cell_len, (name, *(row[at].plain for row in rows)))) for at, name in enumerate(columns)]
    room = out.width - sum(widths) - GAP * (len(columns) - 1) + widths[cut]
    listed = Table(box=None, pad_edge=False, padding=(0, GAP, 0, 0), header_style="bold")
    for at, name in enumerate(columns):
        listed.add_column(name, no_wrap=True, width=min(widths[at], max(room, 4)) if at == cut else widths[at])
    for row in rows:
        row[cut].truncate(max(room, 4), overflow="ellipsis")
        listed.add_row(*row)
    out.print(listed)


def grid() -> Table:
    """Return an empty table of names and what they are."""
    made = Table.grid(padding=(0, 2, 0, 0))
    made.add_column(style="bold", no_wrap=True)
    made.add_column(overflow="fold")
    return made


def plain(text: object, style: str = "") -> Text:
    """Return ``text`` for a table, whatever somebody has put into it."""
    return Text("".join(each if each.isprintable() else repr(each)[1:-1] for each in str(text)), style=style)


def emit(**values: Any) -> None:
    """Print an object of JSON."""
    typer.echo(json.dumps(values))


def note(text: str) -> None:
    """Say something that belongs to no result, where no program looks for one."""
    typer.echo(text, err=True)


def moment(at: float | None) -> str | None:
    """Return epoch seconds for JSON: ISO 8601, in UTC."""
    return None if at is None else iso(at)


def bytes_of(size: float) -> str:
    """Return a size for people.

    >>> bytes_of(312), bytes_of(2100), bytes_of(5_000_000)
    ('312 B', '2.1 kB', '5.0 MB')
    """
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000 or unit == "GB":
            break
        size /= 1000
    return f"{size:.0f} B" if unit == "B" else f"{size:.1f} {unit}"
