# django.contrib.auth keeps its user in the data of the session, under a key. What stands there is taken over when the
# session is committed, not when a signal is sent: so login, logout, flush, a test client and a key that was set by hand
# are all one. Where the key says what the session knows already, that is one look into a dict.
"""The session of a user of django.contrib.auth."""

from __future__ import annotations

from typing import TypeVar

from django.contrib.auth import SESSION_KEY

from sessile._records.record import AUTHENTICATED, CLAIMS, CREATED, JSON, REMEMBERED, USER, decode
from sessile._session import data
from sessile._session import session as core
from sessile._session.state import Intent, State
from sessile._session.watched import state_of
from sessile.events import EventKind

__all__ = ["OfUser", "with_user"]

S = TypeVar("S", bound="OfUser")


class OfUser(core.Session):
    """A session whose user is the one that django.contrib.auth knows, as text.

    A log-in of ours, ``session.login("zoe")``, counts while django.contrib.auth knows nobody.
    """

    __slots__ = ()

    @property
    def user_id(self) -> str | int | None:
        """The primary key of the user who is logged in, as text, or None."""
        self.mark_accessed()
        data.settle(self)
        return super().user_id

    @property
    def logged_in_at(self) -> float | None:
        """When the user last proved who they are, in epoch seconds, or None.

        None as well for a user who was logged in before this library kept account of it.
        """
        self.mark_accessed()
        data.settle(self)
        return super().logged_in_at


class _User:
    """Takes over into the system fields what django.contrib.auth has put into the data (``state.View``)."""

    def __init__(self, session: OfUser) -> None:
        self._session = session
        self._state: State = state_of(session)

    def refresh(self) -> None:
        """Have the commit take a look, if the data came with another user than the system fields."""
        user = _user_in(self._session)
        if user is not None and user != self._state.system.get(USER):
            self._state.exposed = True

    def write(self) -> None:
        """Let the system fields say what the data says."""
        state, user = self._state, _user_in(self._session)
        known = state.system.get(USER)
        if user == known:
            return
        if user is None:
            # Somebody has removed the key; or it was never there, and the user is of a log-in of ours.
            if self._stored_user() != known:
                return
            gone = {USER, AUTHENTICATED, CLAIMS, REMEMBERED}
            state.system = {name: value for name, value in state.system.items() if name not in gone}
            state.proof = None
        elif str(known) == user:  # A log-in of ours with the number.
            state.system = {**state.system, USER: user}
        elif known is None and self._lives_on() and self._stored_user() == user:
            # They had logged in before we kept account of it: when, nobody knows, and nothing is proved now.
            state.system = {**state.system, USER: user}
        else:
            now = state.backing.now()
            others = {name: value for name, value in state.system.items() if name not in (CLAIMS, REMEMBERED)}
            state.system = {**others, CREATED: now, USER: user, AUTHENTICATED: now}
            state.proof = EventKind.LOGGED_IN
        state.restated = True

    def _lives_on(self) -> bool:
        """Return True if it goes on with all that was stored, if only under a new id."""
        return self._state.intent is Intent.KEEP or self._state.kept is True

    def _stored_user(self) -> str | None:
        contents = decode(self._state.payload or b"")
        return None if contents is None else _user_in(contents.data)


def with_user(session: S) -> S:
    """Return ``session``, which takes over the user of django.contrib.auth from now on."""
    state_of(session).views += (_User(session),)
    return session


def _user_in(data: dict[str, JSON]) -> str | None:
    """Return the user of django.contrib.auth. Looking for them is not looking at the session."""
    user = dict.get(data, SESSION_KEY)
    return str(user) if isinstance(user, (str, int)) and user != "" else None
