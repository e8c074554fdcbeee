# None of this counts as looking at the session or as writing to it: it serves the commit, not the handler. So it goes
# by dict's own methods.
"""What is in a session, taken over and put back by the library."""

from __future__ import annotations

from collections.abc import Callable
from math import isfinite
from typing import TYPE_CHECKING, TypeVar

from sessile._records.attributes import is_life, iso
from sessile._records.record import JSON, Contents, decode, differs, same
from sessile._session.state import Intent, State
from sessile._session.watched import state_of
from sessile.merge import Merged, merge

if TYPE_CHECKING:
    from sessile._session.session import Session

T = TypeVar("T")

__all__ = [
    "adopt",
    "apply",
    "become",
    "contents_of",
    "cookie_now",
    "cookie_of",
    "end_login",
    "has_changed",
    "put",
    "rebase",
    "refresh",
    "rewritten",
    "settle",
    "sid_of",
]


def sid_of(state: State) -> str:
    """Return the id, made now if there is none yet."""
    if state.id is None:
        state.id = state.backing.new_id(state)
    return state.id


def cookie_of(state: State) -> dict[str, JSON]:
    """Return the cookie's attributes as they are stored, made now from the options if there are none yet."""
    if state.cookie is not None:
        return state.cookie.stored
    if state.stored_cookie is None:
        state.stored_cookie = state.backing.new_cookie(state)
    elif is_life(state.stored_cookie):
        state.stored_cookie = {**state.backing.new_cookie(state), **state.stored_cookie}
    return state.stored_cookie


def cookie_now(state: State) -> dict[str, JSON]:
    """Return the cookie's attributes as they are now: a touch moves the end of the record, not what stands in it."""
    attributes = cookie_of(state)
    if isfinite(state.ends) and state.ends and attributes.get("expires") is not None:
        return {**attributes, "expires": iso(state.ends)}
    return attributes


def contents_of(session: Session, state: State) -> Contents:
    """Return what a record of this session would hold."""
    return Contents(session, state.current_cookie(), state.system)


def end_login(session: Session) -> None:
    """Let the session go on under a new id with its data, and without its user: the log-out of some frameworks.

    Where no data is left when the request ends, the session ends too, in the frameworks whose own sessions do.
    """
    kept = dict(dict.items(session))
    session.regenerate()
    dict.update(session, kept)
    state = state_of(session)
    state.emptied = True
    refresh(state)


def has_changed(session: Session, state: State) -> bool:
    """Tell whether the data differs from what is stored, at any depth."""
    if state.payload is None:
        return dict.__len__(session) > 0
    if state.before is not None:
        known = differs(session, state.before)
        if known is not None:
            return known
    return not same(contents_of(session, state), state.payload)


def settle(session: Session) -> None:
    """Take over what was changed in views."""
    state = state_of(session)
    if state.views and (state.intent is Intent.KEEP or state.intent is Intent.REGENERATE):
        for view in state.views:
            view.write()


def refresh(state: State) -> None:
    """Let views show what became of the data."""
    for view in state.views:
        view.refresh()


def put(session: Session, data: dict[str, JSON]) -> None:
    """Let the session hold ``data`` and nothing else."""
    state = state_of(session)
    state.before = None
    dict.clear(session)
    dict.update(session, data)
    refresh(state)


def become(session: Session, other: Session) -> None:
    """Be what ``other`` is, a session that was just opened."""
    state, theirs = state_of(session), state_of(other)
    state.id, state.loaded = theirs.id, theirs.loaded
    state.payload = theirs.payload
    state.own_store = theirs.own_store or state.own_store
    state.ends = theirs.ends
    state.system = theirs.system
    state.stored_cookie, state.cookie = theirs.stored_cookie, None
    state.settle_intents()
    state.complained = False
    state.touched, state.written = theirs.touched, theirs.written
    state.sent_on = state.sent_on or theirs.sent_on
    state.rivals = state.rivals or theirs.rivals
    put(session, dict(dict.items(other)))
    state.before = theirs.before
    if theirs.intent is Intent.LOST:
        state.lose()


def adopt(session: Session, sid: str, payload: bytes, ends: float, planned: bytes) -> None:
    """Be what ``payload`` says, which was just written under ``sid``: ours, joined with what others changed.

    ``planned`` is what we had at the beginning. What another task of the request has changed since is still to come.
    """
    contents, before = decode(payload), decode(planned)
    assert contents is not None
    state = state_of(session)
    state.system = contents.system
    state.stored_as(sid, payload, contents.cookie, ends)
    if state.written and before is not None and not same(Contents(session, None, {}), planned):
        put(session, merge(before.data, dict(dict.items(session)), contents.data).data)
    else:
        put(session, contents.data)


def apply(session: Session, change: Callable[[dict[str, JSON]], T]) -> T:
    """Apply ``change`` to the data and return what it returns."""
    settle(session)
    data = dict(dict.items(session))
    result = change(data)
    put(session, data)
    return result


def rebase(session: Session, stored: Session, join: Callable[..., Merged] = merge) -> None:
    """Take over what is stored now, and keep what was changed here since the load as changes."""
    settle(session)
    state, theirs = state_of(session), state_of(stored)
    base = decode(state.payload or b"{}") or Contents({}, None, {})
    merged = join(base.data, dict(dict.items(session)), dict(dict.items(stored))).data
    if state.id == state.loaded:
        state.id = theirs.id
    state.loaded = theirs.loaded
    state.payload = theirs.payload
    state.system = merge(base.system, state.system, theirs.system, depth=2).data
    state.sent_on = state.sent_on or theirs.sent_on
    if state.intent is Intent.KEEP:
        state.ends = theirs.ends
        if not state.cookie_changed():
            state.stored_cookie, state.cookie = theirs.stored_cookie, None
    put(session, merged)


def rewritten(state: State, payload: bytes, before: dict[str, JSON], after: dict[str, JSON], ends: float) -> None:
    """Note that the store has ``payload``, and what was changed here is still to come.

    ``before`` and ``after`` are the system fields in the store before it was written, and now.
    """
    state.system = merge(before, state.system, after, depth=2).data
    state.payload, state.before = payload, None
    if state.intent is Intent.KEEP:
        state.ends = ends
