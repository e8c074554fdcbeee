# A scenario is one short story: a visitor, known or not, makes a request in which a handler does something with the
# session, and ten seconds later a second one in which a handler looks at it. What the handler does is put together from
# verbs, which express.js and driver.py have under the same names. So a new story is a line in a table here.
"""The stories that are told to express-session and to sessile."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any
from urllib.parse import quote

#: When the first request is made. Not a whole second: what is cut off shows.
NOW = 1_700_000_000.123
SECRETS = ["the secret that signs, long enough for tests", "the secret of last year, long enough for tests"]

#: The ids of records that are there before. Those that are made are id-1, id-2, ...
SID = "existing".ljust(32, "_")
SECOND = "second".ljust(32, "_")

#: What a visitor who has been here before has in the session.
DATA = {"n": 1, "cart": {"items": [1, 2]}, "name": "Zoë", "9": [], "done": None}


# Options --------------------------------------------------------------------------------------------------------------

#: The sixteen that decide when something is stored and sent, as express-session calls them.
OPTIONS = [
    {"resave": resave, "saveUninitialized": uninitialized, "rolling": rolling, "unset": unset}
    for resave, uninitialized, rolling, unset in product(
        (False, True), (False, True), (False, True), ("keep", "destroy")
    )
]
#: Any two of the four options meet in each of their combinations here.
PAIRS = [OPTIONS[number] for number in (0b0000, 0b0111, 0b1011, 0b1101, 0b1110)]


@dataclass(frozen=True)
class Cookie:
    """The cookie's options, as each side has them. What one has by default and the other has not, is always given."""

    express: dict[str, Any] | None
    sessile: dict[str, Any] | None
    #: Whether they are given as a function that returns them.
    function: bool = False


PLAIN = {"secure": False, "same_site": None}
MINUTE = {"max_age": 60}
END = datetime.fromtimestamp(NOW, UTC) + timedelta(hours=1)

COOKIES: dict[str, Cookie] = {
    "plain": Cookie({}, PLAIN),
    "max age": Cookie({"maxAge": 60_000}, PLAIN | MINUTE),
    "attributes": Cookie(
        {"maxAge": 60_000, "sameSite": "lax", "httpOnly": False, "path": "/app", "domain": "example.com"},
        {"secure": False, "same_site": "lax", "http_only": False, "path": "/app", "domain": "example.com"} | MINUTE,
    ),
    "auto": Cookie({"secure": "auto", "sameSite": "auto"}, {"secure": "auto", "same_site": "auto"}),
    "auto, max age": Cookie(
        {"secure": "auto", "sameSite": "auto", "maxAge": 60_000}, {"secure": "auto", "same_site": "auto"} | MINUTE
    ),
    "secure": Cookie({"secure": True}, {"secure": True, "same_site": None}),
    "secure, max age": Cookie(
        {"secure": True, "maxAge": 60_000, "sameSite": "strict"}, {"secure": True, "same_site": "strict"} | MINUTE
    ),
    "partitioned": Cookie(
        {"secure": True, "sameSite": "none", "partitioned": True, "priority": "high", "maxAge": 60_000},
        {"secure": True, "same_site": "none", "partitioned": True, "priority": "high"} | MINUTE,
    ),
    "expires": Cookie({"expires": END.isoformat(timespec="milliseconds")}, PLAIN | {"expires": END}),
    "over at once": Cookie({"maxAge": 0}, PLAIN | {"max_age": 0}),
    "500 days": Cookie({"maxAge": 500 * 86_400_000}, PLAIN | {"max_age": timedelta(days=500)}),
    "same site": Cookie({"sameSite": True, "maxAge": 60_000}, {"secure": False, "same_site": True} | MINUTE),
    "function": Cookie({"maxAge": 60_000, "sameSite": "lax"}, {"secure": False, "same_site": "lax"} | MINUTE, True),
    "function, auto": Cookie(
        {"secure": "auto", "sameSite": "auto", "maxAge": 60_000},
        {"secure": "auto", "same_site": "auto"} | MINUTE,
        True,
    ),
    "default": Cookie(None, None),
    "function, explicit default": Cookie({}, PLAIN, True),
    "sessile's default": Cookie({"secure": "auto", "sameSite": "lax"}, {"secure": "auto", "same_site": "lax"}),
}


# Visitors -------------------------------------------------------------------------------------------------------------


def token(sid: str, secret: str = SECRETS[0]) -> str:
    """Return the signed token for ``sid``, before it is percent-encoded."""
    mac = base64.b64encode(hmac.digest(secret.encode(), sid.encode(), hashlib.sha256)).rstrip(b"=").decode()
    return f"s:{sid}.{mac}"


def encoded(sid: str, secret: str = SECRETS[0]) -> str:
    """Return the token for ``sid`` as it stands in a cookie."""
    return quote(token(sid, secret), safe="-_.!~*'()")


@dataclass(frozen=True)
class Visitor:
    """Who comes."""

    #: The value of the session's cookie.
    cookie: str | None = None
    #: The values of cookies of the same name that a neighbour has set: with a longer path, and for a wider domain.
    in_front: str | None = None
    behind: str | None = None
    #: The ids under which there are records.
    sids: tuple[str, ...] = ()
    #: How many seconds ago those were made.
    age: int = 10
    #: Whether the session's cookie names a session that is there, and is good.
    live: bool = False
    #: Other cookies.
    others: tuple[tuple[str, str], ...] = ()


_TAMPERED = encoded(SID)[:-1] + ("A" if encoded(SID)[-1] != "A" else "B")

VISITORS: dict[str, Visitor] = {
    "new": Visitor(),
    "existing": Visitor(encoded(SID), sids=(SID,), live=True),
    "unknown": Visitor(encoded(SID)),
    "tampered": Visitor(_TAMPERED, sids=(SID,)),
    "expired": Visitor(encoded(SID), sids=(SID,), age=90_000),
    "new, with other cookies": Visitor(others=(("theme", "dark"), ("connect.sidx", encoded(SID))), sids=(SID,)),
    "existing, with other cookies": Visitor(
        encoded(SID), sids=(SID,), live=True, others=(("theme", "dark"), ("a", "%"))
    ),
    "signed last year": Visitor(encoded(SID, SECRETS[1]), sids=(SID,), live=True),
    "signed by another": Visitor(encoded(SID, "the secret of another site, long enough"), sids=(SID,)),
    "quoted": Visitor(f'"{encoded(SID)}"', sids=(SID,), live=True),
    "not percent-encoded": Visitor(token(SID), sids=(SID,), live=True),
    "not signed": Visitor(SID, sids=(SID,)),
    "empty": Visitor("", sids=(SID,)),
    "stale cookie in front": Visitor(encoded(SID), sids=(SID,), live=True, in_front=encoded(SECOND)),
    "stale cookie behind": Visitor(encoded(SID), sids=(SID,), live=True, behind=encoded(SECOND)),
    "forged cookie in front": Visitor(encoded(SID), sids=(SID,), live=True, in_front=_TAMPERED),
    "forged cookie behind": Visitor(encoded(SID), sids=(SID,), live=True, behind=_TAMPERED),
    "one cookie twice": Visitor(encoded(SID), sids=(SID,), live=True, behind=encoded(SID)),
}


# Actions --------------------------------------------------------------------------------------------------------------

#: What the handler does in the first request. "view" is put before and behind, but for "untouched".
ACTIONS: dict[str, tuple[str, ...]] = {
    "untouched": (),
    "looked at": ("look",),
    "modified": ("set",),
    "set to what it was": ("set same",),
    "nested change": ("nest",),
    "changed and reverted": ("revert",),
    "key deleted": ("delete",),
    "all deleted": ("delete all",),
    "saved": ("save",),
    "modified, saved": ("set", "save"),
    "saved, modified": ("save", "set"),
    "modified, saved, modified": ("set", "save", "set"),
    "saved twice": ("set", "save", "set", "save"),
    "regenerated": ("regenerate",),
    "regenerated, modified": ("regenerate", "set"),
    "modified, regenerated": ("set", "regenerate"),
    "regenerated, saved": ("regenerate", "save"),
    "regenerated, modified, saved": ("regenerate", "set", "save"),
    "regenerated twice": ("regenerate", "regenerate", "set"),
    "saved, regenerated": ("set", "save", "regenerate", "set"),
    "destroyed": ("destroy",),
    "modified, destroyed": ("set", "destroy"),
    "saved, destroyed": ("set", "save", "destroy"),
    "regenerated, destroyed": ("regenerate", "set", "view", "destroy"),
    "destroyed, regenerated": ("destroy", "regenerate", "set"),
    "set to null": ("null",),
    "removed": ("remove",),
    "modified, set to null": ("set", "null"),
    "saved, set to null": ("set", "save", "null"),
    "max age changed": ("max age",),
    "max age changed, modified": ("max age", "set"),
    "max age changed, saved": ("max age", "save"),
    "made a browser session": ("no max age",),
    "made a browser session, modified": ("no max age", "set"),
    "expires changed": ("expires",),
    "attribute changed": ("strict",),
    "attribute changed, modified": ("script", "set"),
    "path changed, modified": ("path /app", "set"),
    "touched": ("touch",),
    "touched, modified": ("touch", "set"),
    "reloaded": ("reload",),
    "modified, reloaded": ("set", "reload"),
    "reloaded, modified": ("reload", "set"),
    "saved, reloaded": ("set", "save", "reload"),
    "modified after the head": ("head", "set"),
    "modified before and after the head": ("set", "head", "set"),
    "looked at after the head": ("head", "look"),
}

#: Those that write one time at most: a session that is over at once is not there for a second.
WRITTEN_ONCE = ("looked at", "modified", "nested change", "regenerated", "destroyed", "set to null", "max age changed")

#: What the handler does while another request is at work on the same session.
RACES: dict[str, tuple[str, ...]] = {
    "looked at, another wrote": ("other writes", "look"),
    "modified, another wrote": ("other writes", "set"),
    "modified, saved, another wrote": ("other writes", "set", "save"),
    "reloaded, another wrote": ("other writes", "reload"),
    "regenerated, another wrote": ("other writes", "regenerate", "set"),
    "looked at, another destroyed": ("other destroys", "look"),
    "modified, another destroyed": ("other destroys", "set"),
    "modified, saved, another destroyed": ("other destroys", "set", "save"),
    "reloaded, another destroyed": ("other destroys", "reload"),
    "regenerated, another destroyed": ("other destroys", "regenerate", "set"),
    "destroyed, another destroyed": ("other destroys", "destroy"),
}


# Transports -----------------------------------------------------------------------------------------------------------

_FORWARDED = {"x-forwarded-proto": "https"}

#: (proxy, headers): how the request came.
TRANSPORTS: dict[str, tuple[bool, dict[str, str]]] = {
    "http": (False, {}),
    "https": (True, _FORWARDED),
    "https, then http": (True, {"x-forwarded-proto": " HTTPS , http"}),
    "http, then https": (True, {"x-forwarded-proto": "http, https"}),
    "http, header not believed": (False, _FORWARDED),
}


# Scenarios ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Scenario:
    """One story. The words are keys of the tables above."""

    visitor: str
    action: str
    cookie: str = "plain"
    transport: str = "http"
    #: As express-session calls them; those left out are the default of each side.
    options: dict[str, Any] = field(default_factory=lambda: OPTIONS[0])
    path: str = "/app/page"

    def __str__(self) -> str:
        options = ", ".join(f"{name}={value}" for name, value in self.options.items()) or "default options"
        return f"{self.visitor} | {self.action} | cookie: {self.cookie} | {self.transport} {self.path} | {options}"

    @property
    def key(self) -> str:
        """What tells this scenario from all others."""
        return str(self)

    @property
    def secure(self) -> bool:
        """Whether the browser used https."""
        return self.transport in ("https", "https, then http")

    @property
    def verbs(self) -> tuple[str, ...]:
        """What the handler of the first request does."""
        verbs = {**ACTIONS, **RACES}[self.action]
        return ("view", *verbs, "view") if verbs else ()

    @property
    def jar(self) -> list[dict[str, Any]]:
        """The cookies that the browser has before."""
        visitor = VISITORS[self.visitor]
        options = COOKIES[self.cookie].express or {}
        path, domain = options.get("path", "/"), options.get("domain", "")
        cookies = [(name, value, "/", "") for name, value in visitor.others]
        cookies += [
            ("connect.sid", value, path, domain)
            for value, path, domain in (
                (visitor.in_front, "/app/page", ""),
                (visitor.cookie, path, domain),
                (visitor.behind, path, ".example.com"),
            )
            if value is not None
        ]
        return [dict(zip(("name", "value", "path", "domain"), cookie, strict=True)) for cookie in cookies]

    @property
    def steps(self) -> list[tuple[str, ...]]:
        """The verbs of the two requests."""
        return [self.verbs, ("view", "look")]

    def for_node(self, patience: int = 5000) -> dict[str, Any]:
        """Return the scenario as express.js reads it. ``patience``: how many milliseconds an answer may take."""
        visitor, cookie = VISITORS[self.visitor], COOKIES[self.cookie]
        proxy, headers = TRANSPORTS[self.transport]
        return {
            "now": round(NOW * 1000),
            "age": visitor.age * 1000,
            "sids": visitor.sids,
            "data": DATA,
            "jar": self.jar,
            "secret": SECRETS,
            "options": self.options | {"proxy": proxy},
            "cookie": cookie.express,
            "cookie_function": cookie.function,
            "headers": headers,
            "secure": self.secure,
            "path": self.path,
            "steps": self.steps,
            "patience": patience,
        }

    def but(self, **changes: Any) -> Scenario:
        """Return the same story with ``changes``."""
        return replace(self, **changes)


CORE = ("new", "existing")


def _all() -> Iterator[Scenario]:
    # Every rule of when something is stored and sent.
    for visitor, action, cookie, options in product(CORE, ACTIONS, ("plain", "max age"), OPTIONS):
        yield Scenario(visitor, action, cookie, options=options)
    # Every other visitor, each action with three of the five pairs in its turn.
    for turn, (visitor, action) in enumerate(product(VISITORS, ACTIONS)):
        for number in range(3):
            cookie = ("plain", "max age")[(turn + number) % 2]
            yield Scenario(visitor, action, cookie, options=PAIRS[(turn + number) % len(PAIRS)])
    # Two requests at once.
    for action, cookie, options in product(RACES, ("plain", "max age"), OPTIONS):
        yield Scenario("existing", action, cookie, options=options)
    # What each side does when it is told nothing.
    for visitor, action in product(CORE, ACTIONS):
        yield Scenario(visitor, action, "default", "https", options={})
    yield from _all_cookies()
    yield from _all_paths()


def _all_cookies() -> Iterator[Scenario]:
    """Every cookie, by every way of coming that makes a difference to it."""
    for turn, (visitor, action, cookie) in enumerate(product(CORE, ACTIONS, COOKIES)):
        if cookie == "over at once" and action not in WRITTEN_ONCE:
            continue
        by_transport = (COOKIES[cookie].express or {"secure": "by default"}).get("secure")
        for number, transport in enumerate(TRANSPORTS):
            if by_transport or transport in ("http", "https, then http"):
                # Each transport meets all options in its turn.
                yield Scenario(visitor, action, cookie, transport, PAIRS[(turn + number) % len(PAIRS)])


def _all_paths() -> Iterator[Scenario]:
    """Which requests have a session at all."""
    paths = ("/", "/app", "/app/", "/application", "/x?/app")
    for visitor, action, path, cookie in product(CORE, ("looked at", "modified"), paths, ("plain", "attributes")):
        for options in PAIRS:
            yield Scenario(visitor, action, cookie, options=options, path=path)


def grouped(scenarios: Iterable[Scenario]) -> dict[tuple[str, str], list[Scenario]]:
    """Return the scenarios by visitor and action, each once."""
    groups: dict[tuple[str, str], list[Scenario]] = {}
    for scenario in {each.key: each for each in scenarios}.values():
        groups.setdefault((scenario.visitor, scenario.action), []).append(scenario)
    return groups


SCENARIOS = grouped(_all())
