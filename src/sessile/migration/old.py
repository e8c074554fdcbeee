# What other libraries keep becomes records like any others, so that the same passes move it. Two things are particular:
#
#   Ids       Their cookies carry an id that nobody signed, or that was signed with another key. Here an id that we did
#             not sign is never adopted. So an old session stands under an id of a form that ours never have, made of
#             the digest of the old one: no cookie of ours names it, and only who was asked to (adoption.py) looks for
#             it. Django's own middleware carries plain keys, with our engine as with Django's: they stay as they are.
#   Pickles   Are not read. Whoever can write to the store could run a program of their own here.
#
# A record gets no cookie: what the options of the new site say holds from the first visit on.
"""The sessions of other Python libraries, as a store to move them from."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple, Protocol
from urllib.parse import urlsplit

import msgspec

from sessile._records.record import CREATED, JSON, Contents, encode
from sessile.adoption import new_id
from sessile.errors import InvalidOption, MissingExtra, UnserialisableValue
from sessile.migration import old_loki
from sessile.migration.errors import MigrationError
from sessile.migration.old_loki import LokiSessions
from sessile.stores._shared import url as urls
from sessile.stores.base import Record

__all__ = ["OldSessions", "Shelf", "Unreadable", "from_url"]


class Unreadable(bytes):
    """Stands for what cannot be moved."""

    reason: str

    @classmethod
    def because(cls, reason: str) -> Unreadable:
        """Return one that says why."""
        found = cls()
        found.reason = reason
        return found


class Shelf(Protocol):
    """Where a library keeps its sessions. All methods are called in one thread, and may wait."""

    def pages(self) -> Iterator[list[tuple[str, Record]]]:
        """Yield all, some at a time, with what is kept as the payload."""

    def find(self, sid: str) -> Record | None:
        """Return one."""

    def count(self) -> int:
        """Return how many there are."""

    def close(self) -> None:
        """Let go of connections."""


class _Threaded:
    """A shelf as a store under asyncio, by a thread of its own."""

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf
        self._thread = ThreadPoolExecutor(1, "sessile-old")

    async def _call(self, work: Callable[..., Any], *arguments: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work, *arguments)

    async def all(self) -> AsyncIterator[tuple[str, Record]]:
        pages = self._shelf.pages()
        while True:
            page = await self._call(next, pages, None)
            if page is None:
                return
            for item in page:
                yield item

    async def load(self, sid: str) -> Record | None:
        found: Record | None = await self._call(self._shelf.find, sid)
        return found

    async def count(self) -> int:
        return int(await self._call(self._shelf.count))

    async def close(self) -> None:
        await self._call(self._shelf.close)
        self._thread.shutdown()


class OldSessions:
    """A store to move from: what ``inner`` keeps, each payload read by ``read``. It has no other verbs.

    ``read`` returns the data of a session, and its own fields; it raises ValueError for what it cannot read.
    """

    def __init__(self, inner: Any, read: Callable[[bytes], tuple[dict[str, JSON], dict[str, JSON]]]) -> None:
        self._inner = inner.asynchronous() if hasattr(inner, "asynchronous") else inner
        self._read = read

    async def all(self) -> AsyncIterator[tuple[str, Record]]:
        """Yield each session with its record, as one of ours."""
        async for sid, record in self._inner.all():
            found = self._converted(record)
            if found is not None:
                yield sid, found

    async def load(self, sid: str) -> Record | None:
        """Return the record of one session, as one of ours."""
        record = await self._inner.load(sid)
        return None if record is None else self._converted(record)

    async def count(self) -> int:
        """Return how many there are."""
        return int(await self._inner.count())

    async def clear(self) -> None:
        """Refuse: old sessions are read and no more."""
        raise MigrationError("the sessions of another library are read, and not written")

    async def close(self) -> None:
        """Let go of connections."""
        await self._inner.close()

    def _converted(self, record: Record) -> Record | None:
        if record.expires_at <= time.time():
            return None
        try:
            data, system = self._read(record.payload)
            return Record(encode(Contents(data, None, system)), record.expires_at)
        except (ValueError, UnserialisableValue) as error:
            return Record(Unreadable.because(str(error)), record.expires_at)


# What the libraries write --------------------------------------------------------------------------------------------

_PICKLED = "it is a pickle, which is not read: whoever writes to the old store could run a program here"


def read_flask_session(content: bytes) -> tuple[dict[str, JSON], dict[str, JSON]]:
    """Read what Flask-Session 0.7 and later writes: msgpack, or JSON."""
    if content[:1] == b"\x80" and len(content) > 1:
        raise ValueError(_PICKLED)
    try:
        data = msgspec.msgpack.decode(content)
    except msgspec.MsgspecError:
        data = _json(content)
    data = _checked(data)
    # Here that is for the options of the site to say.
    data.pop("_permanent", None)
    return data, {}


def read_starsessions(content: bytes) -> tuple[dict[str, JSON], dict[str, JSON]]:
    """Read what the JsonSerializer of starsessions 2 writes."""
    data = _checked(_json(content))
    about = data.pop("__metadata__", None)
    created = about.get("created") if isinstance(about, dict) else None
    return data, {CREATED: created} if isinstance(created, (int, float)) else {}


def read_json(content: bytes) -> tuple[dict[str, JSON], dict[str, JSON]]:
    """Read the data as JSON."""
    return _checked(_json(content)), {}


def _json(content: bytes) -> Any:
    try:
        return msgspec.json.decode(content)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        raise ValueError(_PICKLED if content[:1] == b"\x80" else "it is neither msgpack nor JSON") from None


def _checked(data: Any) -> dict[str, JSON]:
    if not isinstance(data, dict):
        raise ValueError("it is no mapping, so it is no session")
    return data


# Where they write it -------------------------------------------------------------------------------------------------


class Old(NamedTuple):
    """What a URL of another library names."""

    store: OldSessions | LokiSessions
    #: The id that a session gets here.
    rename: Callable[[str], str]


def from_url(url: str) -> Old | None:
    """Return the sessions of another library that ``url`` names, or None if it names a store of ours.

    ``flask-session+redis://...?prefix=session:``, ``flask-session+mongodb://...?collection=sessions``,
    ``flask-session+sqlite:///...?table=sessions`` (any URL of SQLAlchemy),
    ``starsessions+redis://...?prefix=starsessions.``, ``django://db`` and ``django://file`` (the settings are those of
    DJANGO_SETTINGS_MODULE), ``connect-loki:///session-store.db``. Raises InvalidOption for what cannot be read, and
    MissingExtra without its driver.
    """
    library, plus, rest = url.partition("+")
    if url.startswith("django:"):
        return _django(urlsplit(url).netloc)
    if url.startswith("connect-loki:"):
        return Old(old_loki.from_url(url), str)
    if not plus or library not in ("flask-session", "starsessions"):
        return None
    scheme = rest.partition(":")[0]
    if scheme in ("memcached", "memcache"):
        raise InvalidOption("--from", "memcached cannot list what it keeps", "Let the old sessions end by themselves.")
    if scheme in ("file", "filesystem", "cachelib"):
        raise InvalidOption(
            "--from",
            "cachelib keeps sessions as pickles, which are not read, under names from which no id can be told",
            "Let the old sessions end by themselves.",
        )
    try:
        if scheme.startswith(("redis", "rediss", "unix", "valkey")):
            return Old(OldSessions(*_redis(library, rest)), new_id)
        if library == "starsessions":
            raise InvalidOption("--from", f"starsessions keeps nothing in {scheme}", "It has starsessions+redis://.")
        if scheme.startswith("mongodb"):
            return Old(OldSessions(_mongodb(rest), read_flask_session), new_id)
    except ImportError as error:
        raise MissingExtra(f"Reading {library} from {scheme}://", scheme.partition("+")[0]) from error
    try:
        return Old(OldSessions(_sql(rest), read_flask_session), new_id)
    except ImportError as error:
        raise MissingExtra(f"Reading {library} from {scheme}://", "sqlalchemy") from error


def _redis(library: str, url: str) -> tuple[Any, Callable[[bytes], Any]]:
    from sessile.stores.redis import from_url

    prefix, read = {
        "flask-session": ("session:", read_flask_session),
        "starsessions": ("starsessions.", read_starsessions),
    }[library]
    _, found = urls.split(url, prefix=str)
    if "prefix" not in found:
        url += f"{'&' if '?' in url else '?'}prefix={prefix}"
    return from_url(url, time.time), read


def _mongodb(url: str) -> Any:
    from sessile.migration.old_mongodb import shelf

    return _Threaded(shelf(url))


def _sql(url: str) -> Any:
    from sessile.migration.old_sql import shelf

    return _Threaded(shelf(url))


def _django(engine: str) -> Old:
    if engine in ("cache", "signed_cookies"):
        raise InvalidOption(
            "--from",
            {
                "cache": "Django's caches keep sessions as pickles, which are not read, and cannot list them",
                "signed_cookies": "Django's signed_cookies keeps nothing on the server",
            }[engine],
            "Let the old sessions end by themselves.",
        )
    if engine not in ("db", "cached_db", "file"):
        raise InvalidOption("--from", f"{engine!r} is no engine of Django's", "Use django://db or django://file.")
    try:
        from sessile.migration.old_django import shelf
    except ImportError as error:
        raise MissingExtra("Reading Django's sessions", "django") from error
    return Old(OldSessions(_Threaded(shelf(engine)), read_json), str)
