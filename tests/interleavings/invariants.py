# What must hold, whatever the order of the calls, and whoever crashed. Each is a sentence, and a function that yields
# something where an outcome breaks it. An invariant looks at what each request knows (its answer), and at what the tokens
# that anybody was ever told open at the end: at nothing that two orders could disagree on which gave the same answers.
#
# "Confirmed" means that a response without an error said so, and that no event told of a change that was dropped.
# All requests of a scenario had begun before the first of their calls was carried out.
"""The invariants, in words, and their checks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cached_property
from typing import Any, NamedTuple

from sessile._session.watched import state_of
from sessile.errors import (
    LockLost,
    LoginRefused,
    SessionConflict,
    SessionGone,
    SessionLocked,
    StoreUnavailable,
    TooManySessions,
)
from sessile.testing import FrozenClock
from sessile.testing.explore import Outcome, Result, settle
from tests.interleavings.bodies import FORGED, KINDS, TENANT, USER
from tests.interleavings.site import LIFE, Answer, Site

#: What a request may meet where another one was first.
EXPECTED = (LockLost, LoginRefused, SessionConflict, SessionGone, SessionLocked, TooManySessions)


class Opened(NamedTuple):
    """What a token opens at the end."""

    sid: str
    user: str | int | None
    data: dict[str, Any]
    life: float | None
    tenant: bool


class Case(NamedTuple):
    """What the invariants know of a scenario."""

    kinds: tuple[str, ...]
    #: The id of the session at the start.
    sid: str
    clock: FrozenClock
    options: dict[str, Any]


class _End:
    """An outcome, as the invariants look at it."""

    def __init__(self, case: Case, outcome: Outcome) -> None:
        self.case = case
        self.outcome = outcome
        self.results = list(zip(case.kinds, outcome.results, strict=True))
        #: The answers of those that got to their end.
        self.answers: list[Answer] = [result.value for _, result in self.results if result.confirmed]
        #: Whether confirmed changes can be lost by what the site has asked for.
        self.overwrites = case.options.get("conflict") == "overwrite"

    def did(self, what: str, key: str | None = None) -> list[tuple[Answer, str, Any]]:
        """Return what was done and confirmed."""
        return [
            (answer, name, value)
            for answer in self.answers
            for verb, name, value in answer.did
            if verb == what and key in (None, name)
        ]

    def unsure(self, *kinds: str) -> int:
        """Return of how many bodies of these kinds nobody knows whether they did what they wanted."""
        return sum(kind in kinds and not result.confirmed for kind, result in self.results)

    @cached_property
    def opened(self) -> dict[str, Opened]:
        """What each token opens that anybody was ever told."""
        told = {sid for answer in self.answers for sid in answer.told if sid}
        found: dict[str, Opened] = {}
        for sid in sorted({self.case.sid, *told}):
            each = settle(lambda sid=sid: self._open(sid), dict(self.outcome.cells))  # type: ignore[misc]
            if each is not None:
                found[sid] = each
        return found

    async def _open(self, sid: str) -> Opened | None:
        site = Site("z", self.case.clock, self.case.options)
        session = await site.load(sid)
        if session.is_new:
            return None
        life = session.cookie.original_max_age
        indexes = state_of(session).system.get("index")
        tenant = indexes.get("tenant") if isinstance(indexes, dict) else None
        return Opened(session.id, session.user_id, dict(session), life, tenant == TENANT)

    @property
    def same(self) -> list[Opened]:
        """The session of the start, under the ids that open it; none if it has ended."""
        return [each for each in self.living if each.data.get("tag") == "S"]

    @property
    def living(self) -> list[Opened]:
        """The sessions that live, each once."""
        return list({each.sid: each for each in self.opened.values()}.values())


def _no_lost_update(end: _End) -> Iterator[object]:
    """A change that was confirmed is in the record, or a later confirmed change of the same key is."""
    if end.overwrites:
        return  # Who asks for that says that the last write wins, whole.
    drops = any(KINDS[kind].recookies for kind in end.case.kinds)
    for session in end.same:
        for answer in end.answers:
            for what, key, value in answer.did:
                if answer.tag != "S" or (answer.dropped and what != "saved"):
                    continue
                if what in ("wrote", "saved") and session.data.get(key) != value:
                    yield key
                if what == "flashed" and end.case.kinds.count("flash") == 1 and value not in str(session.data.get(key)):
                    yield key
                if what == "lives" and not drops and session.life != value:
                    yield key


def _no_undone_end(end: _End) -> Iterator[object]:
    """After a confirmed log-out, destroy or revoke nobody's token opens the session, under whatever id."""
    if end.did("ended", "S") and not end.overwrites:  # A request in flight brings it back, as in express-session.
        yield from end.same


def _no_outlived_revocation(end: _End) -> Iterator[object]:
    """No token opens a session of a user, or a tenant, that were revoked: not one that gets a new id, or a log-in.

    Spared is the session that the revocation was asked to keep.
    """
    if end.did("revoked", "user"):
        yield from (each for each in end.opened.values() if each.user == USER)
    if end.did("revoked others", "user"):
        yield from (each for each in end.opened.values() if each.user == USER and each not in end.same)
    if end.did("revoked", "tenant"):
        yield from (each for each in end.opened.values() if each.tenant)


def _no_limit_exceeded(end: _End) -> Iterator[object]:
    """A user has no more sessions whose tokens somebody has than ``max_sessions_per_user``."""
    limit = end.case.options.get("max_sessions_per_user")
    living = [each for each in end.living if each.user == USER]
    # A crash may leave one too many until the next log-in, but only where the one that crashed was a log-in.
    if limit is not None and len(living) > limit and end.did("logged in"):
        yield living


def _nothing_told_to_strangers(end: _End) -> Iterator[object]:
    """Who came by an earlier id, in its time of grace, is not told the new one; nor is an id that another request made.

    Two are: who proves again who they are, and whose session was renewed without being asked (``renew_every``).
    """
    renews = "lifetime" in end.case.options
    for answer in end.answers:
        known = {answer.came_by, *answer.made, ""} | ({answer.found} if renews else set())
        yield from (sid for sid in answer.told if sid not in known and not renews)
        stranger = answer.found is not None and answer.found != answer.came_by and not renews
        if stranger and not KINDS[answer.kind].proves:
            # An empty session, which regenerate() without `keep` begins, is nobody else's.
            yield from (sid for sid in answer.told if sid in end.opened and end.opened[sid] in end.same)


def _no_cookie_before_the_store(end: _End) -> Iterator[object]:
    """A browser is told an id only after the store has confirmed its record."""
    for answer in end.answers:
        yield from (sid for sid in answer.told if sid and sid not in answer.seen | {answer.came_by})


def _popped_once(end: _End) -> Iterator[object]:
    """``pop_once`` gives a value to one request."""
    got = [value for _, _, value in end.did("popped") if value is not None]
    if len(got) > 1:
        yield got


def _counted(end: _End) -> Iterator[object]:
    """Each ``incr`` that was confirmed is counted, and no two are told the same number; a transaction is not lost."""
    totals = [value for _, key, value in end.did("added", "n")]
    if len(set(totals)) < len(totals):
        yield totals
    if end.overwrites:
        return
    for session in end.same:
        for key, kind in (("n", "incr"), ("t", "transaction")):
            sure = sum(not answer.dropped for answer, _, _ in end.did("added", key) if answer.tag == "S")
            if (
                not sure
                <= session.data.get(key, 0)
                <= sure + end.unsure(kind) + sum(answer.dropped for answer in end.answers)
            ):
                yield key


def _locked(end: _End) -> Iterator[object]:
    """One request at a time is in the block of a lock, and each has a larger number than those before."""
    fences = [value for _, _, value in end.did("held")]
    if len(set(fences)) < len(fences) or any(value for _, _, value in end.did("met")):
        yield fences
    if not end.overwrites:
        for session in end.same:
            if session.data.get("k", 0) < len(end.did("added", "k")):
                yield session


def _no_system_field_by_a_handler(end: _End) -> Iterator[object]:
    """What says who is logged in is never written by a handler, of ours or of Node's."""
    yield from (each for each in end.opened.values() if each.user == FORGED)


def _no_other_failure(end: _End) -> Iterator[object]:
    """A request fails only where another was first, or where the store has not answered it."""
    for kind, result in end.results:
        if result.error is not None and not _may_fail(kind, result):
            yield result.error


def _may_fail(kind: str, result: Result) -> bool:
    error = result.error
    if isinstance(error, EXPECTED):
        return True
    return result.lost if isinstance(error, StoreUnavailable) else kind == "forge"


INVARIANTS: dict[str, Callable[[_End], Iterator[object]]] = {
    "lost update": _no_lost_update,
    "undone end": _no_undone_end,
    "outlived a revocation": _no_outlived_revocation,
    "limit exceeded": _no_limit_exceeded,
    "told to a stranger": _nothing_told_to_strangers,
    "cookie before the store": _no_cookie_before_the_store,
    "popped twice": _popped_once,
    "not counted": _counted,
    "lock shared": _locked,
    "system field of a handler": _no_system_field_by_a_handler,
    "failed": _no_other_failure,
}

assert LIFE != 7200


def violated(case: Case, outcome: Outcome) -> list[str]:
    """Return the names of the invariants that an outcome breaks."""
    end = _End(case, outcome)
    return [name for name, check in INVARIANTS.items() if any(True for _ in check(end))]
