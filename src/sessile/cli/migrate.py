# What the terminal shows goes to stderr, so that --json can be piped. A URL may hold a password: it may come from the
# environment, and is shown without it.
"""``sessile migrate``: move sessions from one store to another."""

from __future__ import annotations

import asyncio
import hashlib
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

import msgspec
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from sessile import stores
from sessile._engine.manager import Sessions
from sessile.cli.target import imported, without_password
from sessile.errors import InvalidOption
from sessile.migration import Progress as Step
from sessile.migration import Report, old
from sessile.migration import migrate as move

__all__ = ["migrate"]

#: What the numbers of a report are called, and in which colour they are a fault.
_WORDS = {
    "found": "found in the source",
    "copied": "copied",
    "updated": "updated: changed in the source since an earlier pass",
    "renewed": "renewed: used in the source since an earlier pass",
    "present": "there already",
    "kept": "left alone: changed in the target",
    "ended": "left alone: ended in the target",
    "removed": "removed: ended in the source since an earlier pass",
    "opaque": "moved as they are, but not entered in the index of users: what they hold is no JSON",
    "refused": "NOT moved",
}
_VERDICTS = {
    "matching": "equal",
    "rewritten": "equal in content: the target writes it in its own way",
    "used": "used in the target since an earlier pass",
    "behind": "changed in the source meanwhile: for the next pass",
    "differing": "NOT as they were written. If the target is in use already, run it again",
    "missing": "MISSING in the target. If the target is in use already, run it again",
}


def migrate(
    source: Annotated[
        str,
        typer.Option(
            "--from",
            envvar="SESSILE_FROM",
            help="The old store: a URL, or module:sessions.",
            callback=without_password,
        ),
    ],
    target: Annotated[
        str,
        typer.Option(
            "--to", envvar="SESSILE_TO", help="The new store: a URL, or module:sessions.", callback=without_password
        ),
    ],
    journal: Annotated[
        Path | None,
        typer.Option(dir_okay=False, help="The file that remembers what was moved. By default it is named after both."),
    ] = None,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Forget earlier passes. Only if nobody has used the target since.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and write nothing.")] = False,
    verify: Annotated[bool, typer.Option(help="Compare both stores at the end.")] = True,
    index: Annotated[bool, typer.Option(help="Enter the sessions of users in the target's index.")] = True,
    expect_ended: Annotated[
        bool, typer.Option("--expect-ended", help="Most sessions were ended in the source: end them in the target too.")
    ] = False,
    patience: Annotated[
        float, typer.Option(min=0, help="For how many seconds to wait for a server that does not answer.")
    ] = 60.0,
    as_json: Annotated[bool, typer.Option("--json", help="Print the numbers as JSON.")] = False,
) -> None:
    """Move sessions from one store to another, while both are in use. Run it again to take along what is new.

    It can be stopped at any moment, and started again. Exit code 1: something was not moved, or is not equal.
    """
    one, other = _side("--from", source), _side("--to", target)
    if one.names == other.names:
        raise InvalidOption("--to", "it is the store of --from", "Name two stores.")
    between = f"{one.names} -> {other.names}"
    file = journal or Path(f"sessile-migration-{hashlib.sha256(between.encode()).hexdigest()[:12]}.db")
    if fresh and not dry_run:
        for path in (file, file.with_name(f"{file.name}-wal"), file.with_name(f"{file.name}-shm")):
            path.unlink(missing_ok=True)
    terminal = Console(stderr=True, highlight=False)
    terminal.print(f"from {one.shown}\nto   {other.shown}\njournal: {file}", markup=False, soft_wrap=True)
    with _Bar(terminal) as bar:
        report = asyncio.run(
            move(
                one.store,
                other.store,
                file,
                between=between,
                rename=one.rename,
                index=index,
                verify=verify,
                dry_run=dry_run,
                expect_ended=expect_ended,
                patience=patience,
                watch=bar.show,
            )
        )
    if as_json:
        print(json.dumps({**msgspec.structs.asdict(report), "good": report.good, "dry_run": dry_run}))
    else:
        _tell(report, dry_run)
    if not report.good:
        raise typer.Exit(1)


@dataclass
class _Side:
    store: Any
    #: Its URL without a password, for eyes.
    shown: str
    #: What tells it from other stores: without a user and such options as do not matter.
    names: str
    rename: Callable[[str], str] = str


def _side(option: str, given: str) -> _Side:
    if ":" not in given or (":/" not in given and not given.startswith("django:")):
        return _Side(_sessions(option, given), given, given)
    shown, names = _shown(given), _names(given)
    if option == "--from":
        theirs = old.from_url(given)
        if theirs is not None:
            return _Side(theirs.store, shown, names, theirs.rename)
    if given.startswith("memory:"):
        raise InvalidOption(option, "the memory of another process cannot be reached", "Name a store that is shared.")
    return _Side(stores.from_url(given, time.time), shown, names)


def _sessions(option: str, given: str) -> Sessions:
    """Return the Sessions that ``module:name`` names. The module is looked for here first."""
    module, _, name = given.partition(":")
    remedy = 'Give a URL such as "redis://localhost/0", or "shop.main:sessions", the name of a Sessions.'
    try:
        found = attrgetter(name or "sessions")(imported(module))
    except (ImportError, AttributeError, ValueError, TypeError) as error:
        raise InvalidOption(option, f"{given!r} cannot be found ({type(error).__name__})", remedy) from error
    if not isinstance(found, Sessions):
        raise InvalidOption(option, f"{given!r} is a {type(found).__name__}", remedy)
    return found


def _shown(url: str) -> str:
    """Return ``url`` with no password in it, nor anything after the ``?`` that may be one."""
    try:
        parts = urlsplit(url)
        user, at, host = parts.netloc.rpartition("@")
    except ValueError:
        return f"{url.partition(':')[0]}://..."
    name = user.partition(":")[0] if ":" in user else user
    masked = f"{name}:***@" if ":" in user else f"{name}{at}"
    query = "?..." if parts.query else ""
    return f"{parts.scheme}://{masked}{host}{parts.path}{query}"


def _names(url: str) -> str:
    """Return what tells the store of ``url`` from others."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    apart = ("prefix=", "table=", "collection=", "schema=", "region=", "endpoint=", "db=", "layout=")
    query = "&".join(sorted(item for item in parts.query.split("&") if item.startswith(apart)))
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}?{query}"


class _Bar:
    """Shows how far it has come: a bar on a terminal, else a line for what has to be waited for."""

    def __init__(self, terminal: Console) -> None:
        self._terminal = terminal
        self._waiting = ""
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
            TimeRemainingColumn(),
            console=terminal,
            disable=not terminal.is_terminal,
        )
        self._stage, self._since = "", 0.0
        self._task: TaskID | None = None

    def __enter__(self) -> _Bar:
        self._progress.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._progress.stop()

    def show(self, step: Step) -> None:
        """Show ``step``."""
        if step.waiting != self._waiting:
            self._waiting = step.waiting
            if step.waiting:
                self._terminal.print(f"The {step.waiting} does not answer. Waiting...")
        if step.stage != self._stage:
            self._stage, self._since = step.stage, time.monotonic()
            self._task = self._progress.add_task(step.stage, total=step.total, rate="")
        if self._task is not None:
            seconds = time.monotonic() - self._since
            rate = f"{step.done / seconds:,.0f}/s" if seconds > 0.5 else ""
            total = None if step.total is None else max(step.total, step.done)
            self._progress.update(self._task, completed=step.done, total=total, rate=rate)


def _tell(report: Report, dry_run: bool) -> None:
    for name, words in _WORDS.items():
        number = getattr(report, name)
        if number or name == "found":
            print(f"{number:>10,}  {words}")
    if report.reason:
        print(f"{'':>12}the first of these: {report.reason}")
    if report.verified:
        print("compared:")
        for name, words in _VERDICTS.items():
            number = getattr(report, name)
            if number or name == "matching":
                print(f"{number:>10,}  {words}")
    rate = report.found / report.seconds if report.seconds else 0
    print(f"{'nothing was written; ' if dry_run else ''}{report.seconds:.1f} seconds, {rate:,.0f} sessions a second")
