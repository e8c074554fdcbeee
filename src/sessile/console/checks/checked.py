# Levels: an error is something that somebody can use; a warning something that makes an attack or an accident easier; a
# note what should be known, and may be wanted.
"""What `sessile check` looks at, and what a check is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from enum import StrEnum
from functools import cached_property
from typing import Any, NamedTuple, ParamSpec, Protocol, TypeAlias, TypeVar

from sessile import CookieOptions, Lifetime, RequestFacts, Sessions
from sessile._engine.coded import CodedStore
from sessile.console.checks.remedies import remedy_of
from sessile.lifetime import seconds
from sessile.options import Options
from sessile.stores._shared.forwarding import Forwarding
from sessile.stores.base import Carried, can
from sessile.stores.memory import MemoryStore

__all__ = ["CHECKS", "Check", "Checked", "Finding", "Found", "Level", "Site", "check", "checks_for", "findings"]


P = ParamSpec("P")
T = TypeVar("T")


class Site(Protocol):
    """Whose configuration is looked at, and how to ask its store from synchronous code."""

    @property
    def sessions(self) -> Sessions:
        """The manager."""

    @property
    def place(self) -> str:
        """What to call the store."""

    @property
    def app(self) -> bool:
        """Whether the options are those of the program."""

    @property
    def keys(self) -> int:
        """How many secrets there are: 0 if none was given."""

    def ask(self, call: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> T:
        """Return what ``call`` returns, a method of the manager or of a handle."""


class Level(StrEnum):
    """How bad a finding is."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


class Checked:
    """A configuration, as the checks see it."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.options: Options = site.sessions.options
        self.store: Any = site.sessions.store
        if isinstance(self.store, Forwarding):  # What only looks on has the store in it.
            self.store = getattr(self.store, "inner", self.store)
        #: What the store was made from, where that was a URL.
        self.place: str | None = getattr(self.store, "place", None)
        #: Whether the records are on a server, or at least in one place, and not in cookies.
        self.keeps = not can(self.store, Carried)
        #: Whether browsers keep the token, and its cookie's attributes matter.
        self.by_cookie = self.options.transport == "cookie"

    @cached_property
    def cookie(self) -> CookieOptions | None:
        """The attributes of the cookie of a request by https; None if a function makes them, and cannot here."""
        cookie = self.options.cookie
        if isinstance(cookie, CookieOptions):
            return cookie
        with suppress(Exception):
            made: object = cookie(RequestFacts(scheme="https"))
            return made if isinstance(made, CookieOptions) else None
        return None

    @property
    def inner(self) -> object:
        """The store itself, without what gives records the form of a codec."""
        return self.store.inner if isinstance(self.store, CodedStore) else self.store

    @property
    def in_memory(self) -> bool:
        """Whether the records are in this process."""
        return isinstance(self.inner, MemoryStore)

    @property
    def absolute(self) -> float | None:
        """For how many seconds a session lives at most, however busy it is."""
        return seconds(self._limits.absolute)

    @property
    def remembered(self) -> float | None:
        """For how many seconds one lives whose visitor wants to be remembered."""
        return seconds(self._limits.remember)

    @property
    def idle(self) -> float:
        """For how many seconds a session lives that nobody uses."""
        own = seconds(self._limits.idle)
        life = None if self.cookie is None else self.cookie.lifetime(self.options.clock())
        if life is None:
            return self.options.ttl if own is None else own
        return life if own is None else min(own, life)

    @property
    def _limits(self) -> Lifetime:
        return self.options.lifetime or Lifetime()


#: A problem, and its remedy.
Found: TypeAlias = Iterator[tuple[str, str]]


class Check(NamedTuple):
    """One thing that is looked at."""

    name: str
    level: Level
    #: Who says so.
    source: str
    find: Callable[[Checked], Found]

    @property
    def of_options(self) -> bool:
        """Whether it looks at the options of a program, which --store does not know."""
        return not self.name.startswith(("secret-", "store-"))

    @property
    def purpose(self) -> str:
        """What it looks for, in a sentence."""
        return " ".join((self.find.__doc__ or "").split())


class Finding(NamedTuple):
    """Something weak."""

    check: Check
    problem: str
    remedy: str


CHECKS: list[Check] = []


def check(level: Level, source: str) -> Callable[[Callable[[Checked], Found]], Callable[[Checked], Found]]:
    """Return a decorator that makes a function one of the checks."""

    def add(find: Callable[[Checked], Found]) -> Callable[[Checked], Found]:
        CHECKS.append(Check(find.__name__.replace("_", "-"), level, source, find))
        return find

    return add


def findings(site: Site) -> list[Finding]:
    """Return what is weak in the configuration of ``site``, the worst first."""
    checked = Checked(site)
    found = [
        Finding(check, problem, remedy_of(check.name, remedy, site.sessions))
        for check in checks_for(site)
        for problem, remedy in check.find(checked)
    ]
    return sorted(found, key=lambda each: list(Level).index(each.check.level))


def checks_for(site: Site) -> list[Check]:
    """Return the checks that can be made of ``site``: without its program, those of the secret and the store."""
    return [check for check in CHECKS if site.app or not check.of_options]
