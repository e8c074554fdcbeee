"""``sessile check``: say what is weak in a configuration."""

from __future__ import annotations

from collections import Counter
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from sessile.cli.output import Json, console, emit, note, plain
from sessile.cli.target import App, Store, opened
from sessile.console.checks import checks as checks
from sessile.console.checks.checked import Finding, Level, checks_for, findings

__all__ = ["check"]

_STYLES = {Level.ERROR: "bold red", Level.WARNING: "yellow", Level.NOTE: "cyan"}


def check(
    app: App = None,
    store: Store = None,
    strict: Annotated[bool, typer.Option("--strict", help="Fail for warnings too.")] = False,
    json: Json = False,
) -> None:
    """Say what is weak in a configuration, and what to do.

    For a look, and for CI. The exit code is 1 if there is an error; with --strict, or a warning.
    """
    with opened(app, store) as site:
        found = findings(site)
        number, whole = len(checks_for(site)), site.app
    counts = Counter(each.check.level for each in found)
    if json:
        for each in found:
            emit(
                check=each.check.name,
                level=each.check.level,
                problem=each.problem,
                remedy=each.remedy,
                source=each.check.source,
            )
    else:
        _print(found, counts, number)
        if not whole:
            note("Only the secret and the store were looked at. Give --app for the options of your program.")
    if counts[Level.ERROR] or (strict and counts[Level.WARNING]):
        raise typer.Exit(1)


def _print(found: list[Finding], counts: Counter[Level], number: int) -> None:
    listed = Table.grid(padding=(0, 2, 0, 0))
    listed.add_column(no_wrap=True)
    listed.add_column(overflow="fold")
    for each in found:
        level = each.check.level
        text = Text.assemble((each.check.name, "bold"), "\n", plain(f"{each.problem}."), "\n", plain(each.remedy))
        if each.check.source:
            text.append(f"\n{each.check.source}", style="dim")
        listed.add_row(Text(level, style=_STYLES[level]), text)
        listed.add_row()
    out = console()
    if found:
        out.print(listed)
    counted = [f"{counts[level]} {level}{'' if counts[level] == 1 else 's'}" for level in Level]
    out.print(f"{', '.join(counted)}, in {number} checks.")
