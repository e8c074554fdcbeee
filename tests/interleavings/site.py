# A site is one process: it has `Sessions` of its own, and shares nothing but the store with the others. It is made anew
# for each run of a body, so its ids and its nonces are counted from the start, and a run is a function of the answers.
"""One process of a site, on a store that the explorer drives, and what a request to it came to."""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

from sessile import CookieOptions, RequestFacts, Session, Sessions
from sessile.errors import SessionError
from sessile.events import Event
from sessile.stores.base import Record, Replaced
from sessile.testing import FrozenClock
from sessile.testing.explore import ModelStore

SECRET = "the secret of a site that only tests have"
LIFE = 86_400
FACTS = RequestFacts(scheme="https")

#: What a handler says that it did: what, of which key, and a value.
Did = tuple[str, str, Any]


class Answer(NamedTuple):
    """What a request came to, as its browser and its handler know it."""

    #: What kind of a body it was.
    kind: str
    #: The id that the request came by, and the one that its session had when it was loaded; None if it had none.
    came_by: str | None = None
    found: str | None = None
    #: The mark in the data of that session.
    tag: str | None = None
    #: The ids that the browser was told; "" if its cookie was taken away.
    told: tuple[str, ...] = ()
    #: The ids that were made in this run, and those that the store has confirmed to it.
    made: frozenset[str] = frozenset()
    seen: frozenset[str] = frozenset()
    #: What was done, and is confirmed by the response.
    did: tuple[Did, ...] = ()
    #: Whether the library has told by an event that the session had ended, so that its change was dropped.
    dropped: bool = False


class Nonced:
    """A codec that writes other bytes each time, as encryption does. It hides nothing."""

    def __init__(self, letter: str) -> None:
        self._letter = letter
        self._count = 0

    def encode(self, payload: bytes, sid: str) -> bytes:
        self._count += 1
        return b64encode(f"{self._letter}{self._count}.".encode() + payload)

    def decode(self, stored: bytes, sid: str) -> bytes | None:
        try:
            return b64decode(stored, validate=True).partition(b".")[2] or None
        except ValueError:
            return None


class _NotingStore(ModelStore):
    """Notes which ids it has confirmed."""

    def __init__(self, clock: Callable[[], float], seen: set[str], room: str = "session") -> None:
        super().__init__(clock, room)
        self._seen = seen

    async def load(self, sid: str) -> Record | None:  # type: ignore[override]
        record = await super().load(sid)
        if record is not None:
            self._seen.add(sid)
        return record

    async def create(self, sid: str, payload: bytes, ttl: float) -> bool:  # type: ignore[override]
        done = await super().create(sid, payload, ttl)
        if done:
            self._seen.add(sid)
        return done

    async def replace(self, sid: str, payload: bytes, ttl: float, expected: bytes) -> Any:
        answer = await super().replace(sid, payload, ttl, expected)
        if isinstance(answer, Replaced):
            self._seen.add(sid)
        return answer


class Site:
    """One process. ``letter`` marks the ids that it makes."""

    def __init__(self, letter: str, clock: FrozenClock, options: dict[str, Any], *ids: str) -> None:
        self._ids = list(ids)
        self._letter = letter
        self._events: list[str] = []
        self.made: set[str] = set()
        self._seen: set[str] = set()
        self.store = _NotingStore(clock, self._seen)
        given = {"cookie": CookieOptions(max_age=LIFE), **options}
        if given.pop("nonced", False):
            given["codec"] = Nonced(letter)
        self.sessions = Sessions(
            secret=SECRET, store=self.store, clock=clock, genid=self._new_id, on_event=self._note, **given
        )

    def _new_id(self, facts: RequestFacts) -> str:
        sid = self._ids.pop(0) if self._ids else f"{self._letter}-{len(self.made)}-made-by-a-counter-that-is-long"
        self.made.add(sid)
        return sid

    def _note(self, event: Event) -> None:
        self._events.append(event.name)

    def header(self, sid: str | None) -> bytes:
        """Return the Cookie header of a browser that has ``sid``."""
        return b"" if sid is None else f"connect.sid={self.sessions.token_of(sid)}".encode()

    def told_by(self, values: tuple[str, ...]) -> tuple[str, ...]:
        """Return the ids that Set-Cookie values tell."""
        pairs = [value.partition(";")[0].partition("=") for value in values]
        return tuple(self.sessions.sid_of(value) or "" for name, _, value in pairs if name == "connect.sid")

    async def request(
        self, kind: str, sid: str | None, handler: Callable[[Session], Any] = lambda session: None
    ) -> Answer:
        """Serve a request of a browser that has ``sid``. The handler returns what it did."""
        session = await self.load(sid)
        found = None if session.is_new else session.id
        tag = session.get("tag")
        did = handler(session)
        if isinstance(did, Awaitable):
            did = await did
        values: Any = self.sessions.engine.commit_async(session)
        if isinstance(values, Awaitable):
            values = await values
        return self.answer(kind, sid, found, tag, self.told_by(values), tuple(did or ()))

    async def load(self, sid: str | None) -> Session:
        """Return the session of a request."""
        session = self.sessions.engine.begin_async(self.header(sid), lambda: FACTS)
        return session if isinstance(session, Session) else await session

    def answer(
        self,
        kind: str,
        sid: str | None = None,
        found: str | None = None,
        tag: str | None = None,
        told: tuple[str, ...] = (),
        did: tuple[Did, ...] = (),
    ) -> Answer:
        in_store = self.sessions.engine.setup.in_store
        seen = frozenset(each for each in (*told, *self.made) if in_store(each) in self._seen)
        dropped = "changes_dropped" in self._events
        return Answer(kind, sid, found, tag, told, frozenset(self.made), seen, did, dropped)


class Unexpected(SessionError):
    """Says that a start could not be prepared."""
