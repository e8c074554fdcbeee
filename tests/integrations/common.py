"""What all sites share: the options they run with, the verbs, and what lets a test look on from outside."""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

from sessile import CookieOptions, Session, Sessions
from sessile.errors import SessionGone
from sessile.stores._shared.forwarding import Forwarding
from sessile.stores.sqlite import SqliteStore

SECRET = "a secret that is long enough for tests!"

#: What a variant gives Sessions; ``lazy`` goes to the integration.
VARIANTS: dict[str, dict[str, Any]] = {
    "default": {},
    "lazy": {"lazy": True},
    "eager": {"lazy": False},
    "hour": {"cookie": CookieOptions(max_age=3600)},
    "rolling": {"cookie": CookieOptions(max_age=3600), "rolling": True},
    "attributes": {
        "name": "other",
        "cookie": CookieOptions(max_age=600, same_site="strict", domain="127.0.0.1", priority="high", http_only=False),
    },
    "uninitialized": {"save_uninitialized": True},
    "secure": {"cookie": CookieOptions(secure=True)},
    "proxied": {"proxy": ["loopback"]},
    "anonymous": {"on_store_error": "anonymous"},
    "raise": {"on_store_error": "raise"},
    "unset": {"unset": "destroy"},
    "conflict": {"conflict": "error"},
    "side": {"name": "side.sid"},
    "part": {"cookie": CookieOptions(path="/~part/all")},
    "header": {"transport": "header"},
    "carried": {"store": "cookie://"},
}


def folder() -> Path:
    """Return the folder of this run, where the test and the site meet."""
    return Path(os.environ["SESSILE_FOLDER"])


def sessions_of(folder: Path, variant: str) -> Sessions:
    """Return the manager of a variant."""
    options = {key: value for key, value in VARIANTS[variant].items() if key != "lazy"}
    clock = Clock(folder / "clock")
    store = options.pop("store", None) or Watched(SqliteStore(folder / f"{variant}.db", clock=clock), folder, variant)
    return Sessions(secret=SECRET, store=store, clock=clock, **options)


def the_variant() -> str:
    """Return the variant that the environment names, for a framework that has one in a process."""
    return os.environ.get("SESSILE_VARIANT", "default")


class Clock:
    """The time, and what a test has added to it."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def __call__(self) -> float:
        return time.time() + (float(self._file.read_text()) if self._file.exists() else 0.0)


class Watched(Forwarding):
    """A store that writes down each call, and can be switched off by a file ``down``."""

    def __init__(self, store: Any, folder: Path, name: str) -> None:
        self._store, self._folder, self._name = store, folder, name

    def asynchronous(self) -> Watched:
        return Watched(self._store.asynchronous(), self._folder, self._name)

    def _call(self, verb: str, *arguments: Any) -> Any:
        with (self._folder / f"{self._name}.calls").open("a") as file:
            file.write(verb + "\n")
        if (self._folder / "down").exists():
            raise ConnectionError("switched off")
        return getattr(self._store, verb)(*arguments)


class Gate:
    """A place in a handler where a test lets requests through: ``entered`` and ``open`` are files."""

    def __init__(self, name: str, folder: Path) -> None:
        self._entered, self._open = folder / f"{name}.entered", folder / f"{name}.open"

    def wait(self) -> None:
        """Wait, in a thread."""
        self._entered.touch()
        while not self._open.exists():
            time.sleep(0.005)

    async def wait_async(self) -> None:
        """Wait, under asyncio."""
        self._entered.touch()
        while not self._open.exists():
            await asyncio.sleep(0.005)

    def is_entered(self) -> bool:
        """Tell whether a request waits here."""
        return self._entered.exists()

    def open(self) -> None:
        """Let it through."""
        self._open.touch()


#: What /file sends.
FILE = Path(__file__)

CHUNK = b"x" * 16_384


# The verbs: functions of the session and the query. ---------------------------------------------------------------------


def _nested(session: Session, query: dict[str, str]) -> Any:
    if "cart" not in session:
        session["cart"] = {"items": []}
    items: Any = session["cart"]["items"]
    items.append(query["item"])
    return len(items)


def _set(session: Session, query: dict[str, str]) -> Any:
    session[query["key"]] = query["value"]


def _delete(session: Session, query: dict[str, str]) -> Any:
    del session[query["key"]]


def _remember(session: Session, query: dict[str, str]) -> Any:
    session.cookie.max_age = float(query["seconds"])


def _bad(session: Session, query: dict[str, str]) -> Any:
    session["fine"] = True
    session["bad"] = object()  # type: ignore[assignment]


def _again(session: Session, query: dict[str, str]) -> Any:
    session.destroy()
    session.regenerate()
    session["again"] = True


VERBS: dict[str, Callable[[Session, dict[str, str]], Any]] = {
    "all": lambda session, query: dict(session),
    "get": lambda session, query: session.get(query["key"]),
    "set": _set,
    "big": lambda session, query: session.update(big="x" * int(query["size"])),
    "nested": _nested,
    "delete": _delete,
    "clear": lambda session, query: session.clear(),
    "count": lambda session, query: session.update(count=session.get("count", 0) + 1),
    "id": lambda session, query: session.id,
    "new": lambda session, query: session.is_new,
    "user": lambda session, query: session.user_id,
    "touch": lambda session, query: session.touch(),
    "destroy": lambda session, query: session.destroy(),
    "again": _again,
    "regenerate": lambda session, query: session.regenerate(keep=True),
    "regenerate-empty": lambda session, query: session.regenerate(),
    "login": lambda session, query: session.login(query["user"]),
    "logout": lambda session, query: session.logout(),
    "flash": lambda session, query: session.flash(query["message"]),
    "flashes": lambda session, query: session.flashes().get("info", []),
    "remember": _remember,
    "secure": lambda session, query: session.cookie.secure,
    "read-only": lambda session, query: setattr(session, "read_only", True),
    "bad": _bad,
}


async def converse(session: Session, message: str) -> str:
    """Do what a message over a WebSocket says, a verb and its query, and return the answer."""
    verb, _, text = message.partition("?")
    query = dict(parse_qsl(text, keep_blank_values=True))
    if verb == "raise":
        raise RuntimeError("as asked for")
    if verb == "save":
        session.read_only = False
        _set(session, query)
        await session.asave()
        return "null"
    if verb == "reload":
        try:
            await session.areload()
        except SessionGone:
            return '"gone"'
        return '"here"'
    return json.dumps(VERBS[verb](session, query))


# Several applications in one process. -----------------------------------------------------------------------------------


def each(make: Callable[[Sessions, bool | None], Any]) -> dict[str, Any]:
    """Return the application of each variant."""
    return {name: make(sessions_of(folder(), name), VARIANTS[name].get("lazy")) for name in VARIANTS}


def asgi_app(make: Callable[[Sessions, bool | None], Any]) -> Any:
    """Return the application of all variants, for ASGI."""
    apps = each(make)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await apps["default"](scope, receive, send)
            return
        prefix = scope["path"].split("/")[1]
        if prefix[:1] == "~":
            scope = {**scope, "root_path": scope.get("root_path", "") + "/" + prefix}
        await apps[prefix[1:] or "default" if prefix[:1] == "~" else "default"](scope, receive, send)

    return app


def wsgi_app(make: Callable[[Sessions, bool | None], Any]) -> Any:
    """Return the application of all variants, for WSGI."""
    apps = each(make)

    def app(environ: Any, start_response: Any) -> Any:
        prefix = environ["PATH_INFO"].split("/")[1]
        if prefix[:1] == "~":
            environ["SCRIPT_NAME"] += "/" + prefix
            environ["PATH_INFO"] = environ["PATH_INFO"][len(prefix) + 1 :]
        return apps[prefix[1:] if prefix[:1] == "~" else "default"](environ, start_response)

    return app
