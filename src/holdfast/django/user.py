# django.contrib.auth keeps its user in the data of the session, under a key. What stands there is taken over when the
# session is committed, not when a signal is sent: so login, logout, flush, a test client and a key that was set by hand
# are all one. Where the key says what the session knows already, that is one look into a dict.
"""The session of a user of django.contrib.auth."""

from __future__ import annotations

from django.contrib.auth import SESSION_KEY

from holdfast import session as core
from holdfast.events import Happening
from holdfast.record import AUTHENTICATED, CLAIMS, CREATED, JSON, REMEMBERED, USER, decode
from holdfast.session import Intent

__all__ = ["OfUser"]


class OfUser(core.Session):
    """A session whose user is the one that django.contrib.auth knows, as text.

    A log-in of ours, ``session.login("zoe")``, counts while django.contrib.auth knows nobody.
    """

    __slots__ = ()

    @property
    def user_id(self) -> str | int | None:
        """The primary key of the user who is logged in, as text, or None."""
        self.mark_accessed()
        self.settle()
        return super().user_id

    @property
    def logged_in_at(self) -> float | None:
        """When the user last proved to be who he is, in epoch seconds, or None.

        None as well for one who was logged in before this library kept account of it.
        """
        self.mark_accessed()
        self.settle()
        return super().logged_in_at

    def settle(self) -> None:
        super().settle()
        if self._intent is Intent.KEEP or self._intent is Intent.REGENERATE:
            self._take_over()

    def become(self, other: core.Session) -> None:
        super().become(other)
        user = _user_in(self)
        if user is not None and user != self._system.get(USER):
            self._exposed = True  # So that the commit takes a look.

    def _take_over(self) -> None:
        user, known = _user_in(self), self._system.get(USER)
        if user == known:
            return
        if user is None:
            # Somebody has removed the key; or it was never there, and the user is of a log-in of ours.
            if self._stored_user() != known:
                return
            gone = {USER, AUTHENTICATED, CLAIMS, REMEMBERED}
            self._system = {name: value for name, value in self._system.items() if name not in gone}
            self._proof = None
        elif str(known) == user:  # A log-in of ours with the number.
            self._system = {**self._system, USER: user}
        elif known is None and self._lives_on and self._stored_user() == user:
            # He had logged in before we kept account of it: when, nobody knows, and nothing is proved now.
            self._system = {**self._system, USER: user}
        else:
            now = self._backing.now()
            others = {name: value for name, value in self._system.items() if name not in (CLAIMS, REMEMBERED)}
            self._system = {**others, CREATED: now, USER: user, AUTHENTICATED: now}
            self._proof = Happening.LOGGED_IN
        self._restated = True

    @property
    def _lives_on(self) -> bool:
        """Whether it goes on with all that was stored, be it under a new id."""
        return self._intent is Intent.KEEP or self._kept is True

    def _stored_user(self) -> str | None:
        contents = decode(self._payload or b"")
        return None if contents is None else _user_in(contents.data)


def _user_in(data: dict[str, JSON]) -> str | None:
    """Return the user of django.contrib.auth. Looking for him is not looking at the session."""
    user = dict.get(data, SESSION_KEY)
    return str(user) if isinstance(user, (str, int)) and user != "" else None
