"""What the tests of the commands share: running one, and a shop with sessions."""

from __future__ import annotations

import io
import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr, redirect_stdout, suppress
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import pytest

from sessile import RequestFacts, Session, SessionError, Sessions
from sessile.cli import main
from tests.conftest import SECRET, Clock


@dataclass
class Done:
    """What came of a command."""

    code: int
    out: str
    err: str

    @property
    def objects(self) -> list[Any]:
        """What it printed as JSON, one object a line."""
        return [json.loads(line) for line in self.out.splitlines()]

    @property
    def rows(self) -> list[list[str]]:
        """The words of the lines of its table, without the head."""
        return [line.split() for line in self.out.splitlines()[1:]]


Run = Callable[..., Done]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Run:
    """A function that runs the command in this process, with an environment that knows of no sessions.

    ``typed`` is what somebody types at the terminal, ``piped`` what comes from a pipe.
    """
    for name in ("SESSILE_APP", "SESSILE_STORE", "SESSION_SECRET", "COLUMNS", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(sys, "path", list(sys.path))

    def run(*arguments: str, typed: str | None = None, piped: str = "", **environment: str) -> Done:
        out, err, code = io.StringIO(), io.StringIO(), 0
        with monkeypatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
            patch.setattr(sys, "argv", ["sessile", *arguments])
            patch.setattr(sys, "stdin", io.StringIO(piped) if typed is None else Terminal(typed))
            for name, value in environment.items():
                patch.setenv(name, value)
            try:
                main()
            except SystemExit as end:
                code = end.code if isinstance(end.code, int) else 0
        return Done(code, out.getvalue(), err.getvalue())

    return run


class Shop:
    """A program with sessions, which commands find as ``shop:sessions``."""

    def __init__(self, module: ModuleType, clock: Clock, **options: Any) -> None:
        self.clock = clock
        # A store that others look at by its URL has their clock.
        real = "://" in str(options.get("store", ""))
        self.sessions = Sessions(**{"secret": SECRET, "clock": time.time if real else clock, **options})
        module.sessions = self.sessions  # type: ignore[attr-defined]

    def visit(self, user: str | int | None = None, cookie: str = "", **data: Any) -> str:
        """Make a request that logs in as ``user`` and puts ``data`` into the session. Return the Cookie header."""
        session = self.sessions.engine.begin_sync(cookie.encode(), RequestFacts)
        if user is not None:
            session.login(user, device="phone")
        session.update(data)
        sent = self.sessions.engine.commit_sync(session)
        return sent[0].partition(";")[0] if sent else cookie

    def session(self, cookie: str) -> Session:
        """Return the session of a Cookie header; a blank one if it is over."""
        return self.sessions.engine.begin_sync(cookie.encode(), RequestFacts)

    def lives(self, cookie: str) -> bool:
        return not self.session(cookie).is_new


@pytest.fixture
def new_shop(monkeypatch: pytest.MonkeyPatch, clock: Clock) -> Iterator[Callable[..., Shop]]:
    """A function that makes the module ``shop``, whose sessions have the options given to it."""
    module = ModuleType("shop")
    monkeypatch.setitem(sys.modules, "shop", module)
    opened: list[Sessions] = []

    def make(**options: Any) -> Shop:
        shop = Shop(module, clock, **options)
        opened.append(shop.sessions)
        return shop

    yield make
    for sessions in opened:
        with suppress(SessionError):  # An asynchronous store closes under asyncio alone.
            sessions.close()


@pytest.fixture
def shop(new_shop: Callable[..., Shop]) -> Shop:
    """A shop whose sessions are in memory."""
    return new_shop()


APP = ("--app", "shop:sessions")
