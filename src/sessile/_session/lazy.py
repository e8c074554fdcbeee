"""Sessions that are loaded when somebody first looks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sessile._session.session import Session
from sessile._session.watched import state_of
from sessile.errors import NotLoaded

__all__ = ["load_by", "load_nothing"]

#: What a lazy session holds until it is loaded, for serialisers in C see for themselves whether a dict is empty. With
#: something in it json asks for the items, and so loads it; orjson, msgspec and ujson never ask, and refuse this.
_UNREAD: Any = NotLoaded("a lazy session that nobody has looked at cannot be written. Write a copy: session.copy()")


def load_by(session: Session, loader: Callable[[], object]) -> None:
    """Make ``session`` lazy: ``loader`` is called before the first look."""
    state_of(session).loader = loader
    dict.__setitem__(session, "", _UNREAD)


def load_nothing(session: Session) -> None:
    """Let ``session`` be empty, if nobody has loaded what is stored: it cannot be loaded."""
    state = state_of(session)
    if state.loader is not None:
        state.loader = None
        dict.clear(session)
