# Every default stands here, with its reason in a line beside it. Everything is checked at construction: a process
# that has started has options that work.
"""What the user may choose, and what we chose for those who do not."""

from __future__ import annotations

import copy
import inspect
import re
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal, TypeAlias, TypedDict, TypeGuard

from sessile import cookies
from sessile._records.arguments import checks_names
from sessile._wire.origins import origins_in
from sessile._wire.proxy import trust_in
from sessile._wire.secret import MAKE_SECRET, WeakSecretWarning, refuse_weak, secret_bytes, warn_of_weak
from sessile.codecs import Codec
from sessile.device import DeviceBinding
from sessile.errors import InvalidOption
from sessile.events import Event
from sessile.facts import RequestFacts
from sessile.lifetime import Lifetime, seconds

__all__ = ["CookieOptions", "Options", "WeakSecretWarning"]


@checks_names("cookie")
@dataclass(frozen=True, kw_only=True, slots=True)
class CookieOptions:
    """The attributes of the session cookie (RFC 6265bis section 4.1).

    They are stored with each session when it is created, and a stored session keeps its own, as in express-session.
    Raises InvalidOption for values that no browser would accept.

    >>> cookie = CookieOptions(max_age=14 * 86_400, secure=True, same_site="strict")
    """

    #: The URL prefix that the cookie is sent to, and outside of which there is no session. "/": the whole site.
    path: str = "/"
    #: The life of cookie and record, in seconds or a timedelta. None: until the browser closes (NIST 800-63B 5.1).
    max_age: float | timedelta | None = None
    #: The life as a moment (aware datetime) instead. None: see ``max_age``, which most want.
    expires: datetime | None = None
    #: The domain whose subdomains get the cookie too. None: this host alone, so no neighbour can read or set it.
    domain: str | None = None
    #: Whether scripts are kept from reading the cookie. True: nothing but theft needs it in a script.
    http_only: bool = True
    #: True: only over https. "auto": whatever the request came by. "auto" works in development and is safe in
    #: production, where requests come by https.
    secure: bool | Literal["auto"] = "auto"
    #: "strict", "lax", "none", or "auto" ("none" over https, else "lax"); None leaves it to the browser.
    #: "lax": links from other sites find the visitor logged in, their forms do not.
    same_site: Literal["strict", "lax", "none", "auto"] | bool | None = "lax"
    #: Whether the cookie gets a jar of its own under each top-level site (CHIPS). False: only embedded pages want it.
    partitioned: bool = False
    #: "low", "medium" or "high": which cookies Chromium throws out last. None: not a standard.
    priority: Literal["low", "medium", "high"] | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.path, str) or not self.path.startswith("/"):
            raise InvalidOption("cookie path", f"{self.path!r} does not begin with '/'", 'The whole site is "/".')
        if self.max_age is not None and self.expires is not None:
            raise InvalidOption("cookie max_age", "both max_age and expires are given", "Leave one of them out.")
        self._check_life()
        for name in ("http_only", "partitioned"):
            _check_choice(f"cookie {name}", getattr(self, name), (True, False))
        _check_choice("cookie secure", self.secure, (True, False, "auto"))
        _check_choice("cookie same_site", self.same_site, ("strict", "lax", "none", "auto", None, True, False))
        _check_choice("cookie priority", self.priority, ("low", "medium", "high", None))
        if self.same_site == "none" and not self.secure:
            raise InvalidOption(
                "cookie same_site", '"none" without secure: browsers drop such a cookie', "Set secure=True as well."
            )
        if self.partitioned and not self.secure:
            raise InvalidOption(
                "cookie partitioned", "True without secure: browsers drop such a cookie", "Set secure=True as well."
            )
        self._check_scope("path", self.path, "Write it as it stands in a URL, without the query.")
        if self.domain is not None:
            self._check_scope("domain", self.domain, 'Give a host name such as "example.com", or None for this host.')

    def _check_scope(self, name: str, value: object, remedy: str) -> None:
        try:
            if not isinstance(value, str) or not value:
                raise ValueError
            cookies.serialize("name", "", **{name: value})  # type: ignore[arg-type]
        except ValueError:
            raise InvalidOption(f"cookie {name}", f"{value!r} is not one that a cookie can have", remedy) from None

    def _check_life(self) -> None:
        if self.max_age is not None and seconds(self.max_age) is None:
            raise InvalidOption(
                "cookie max_age", f"{self.max_age!r} is no length of time", "Give seconds or a timedelta, or None."
            )
        if self.expires is not None and (not isinstance(self.expires, datetime) or self.expires.utcoffset() is None):
            raise InvalidOption(
                "cookie expires",
                f"{self.expires!r} is no moment with a time zone",
                "Use datetime.now(timezone.utc) + ..., or max_age.",
            )

    def lifetime(self, now: float) -> float | None:
        """Return the life in seconds of a cookie made at ``now``, or None for a browser session."""
        if self.expires is not None:
            return self.expires.timestamp() - now
        return seconds(self.max_age)


Secret: TypeAlias = str | bytes | Sequence[str | bytes]


class OptionArguments(TypedDict, total=False):
    """The options as keyword arguments, for type checkers and editors. ``Options`` says what each means."""

    name: str
    cookie: CookieOptions | Callable[[RequestFacts], CookieOptions]
    resave: bool
    save_uninitialized: bool
    rolling: bool
    unset: Literal["keep", "destroy"]
    proxy: bool | Sequence[str] | None
    genid: Callable[[RequestFacts], str | Awaitable[str]] | None
    conflict: Literal["merge", "overwrite", "error"]
    on_store_error: Literal["unavailable", "raise", "anonymous"]
    ttl: float | timedelta | None
    clock: Callable[[], float]
    on_event: Callable[[Event], object] | None
    autosave: bool
    keep_alive: Callable[[RequestFacts], bool] | None
    lifetime: Lifetime | None
    touch_after: float | timedelta
    index_users: bool
    max_sessions_per_user: int | None
    too_many_sessions: Literal["end_oldest", "refuse"]
    index_check: float | timedelta
    index_lost: Literal["end", "keep"]
    transport: Literal["cookie", "header", "bearer"]
    header: str
    token: Literal["signed", "encrypted", "encrypted_only", "fastify-session", "koa-session"]
    codec: Codec | Sequence[Codec] | None
    hash_ids: bool
    merge: Mapping[str, Callable[[Any, Any, Any], Any]] | None
    merge_depth: int
    max_bytes: int
    cross_origin: bool | Sequence[str]
    device: DeviceBinding | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Options:
    """Everything that ``Sessions`` can be told, but for the store. Raises InvalidOption where a value is wrong."""

    #: One secret or several, str or bytes. The first signs, all verify: put a new one in front to rotate.
    secret: Secret
    #: The cookie's name. "connect.sid": what express-session uses, so that both can serve one site.
    name: str = "connect.sid"
    #: The cookie's attributes, or a function of the request's facts that returns them.
    cookie: CookieOptions | Callable[[RequestFacts], CookieOptions] = field(default_factory=CookieOptions)
    #: Whether a session is written at each request, changed or not. False: an idle write only risks a race.
    resave: bool = False
    #: Whether a session that nothing was put into is stored. False: a visitor who only looks costs nothing.
    save_uninitialized: bool = False
    #: Whether every response renews the cookie. False: a Set-Cookie makes a response uncacheable.
    rolling: bool = False
    #: What setting the framework's slot to None does: "keep" the record, or "destroy" it. "keep": express's default.
    unset: Literal["keep", "destroy"] = "keep"
    #: Whose X-Forwarded-Proto is believed, if the server itself knows of no TLS: a list of addresses and networks of
    #: proxies, such as ``["10.0.0.0/8"]``; "loopback", "linklocal" and "uniquelocal" are those of express, "unix" is a
    #: peer without an address. True: anybody's first value. False, None: nobody's, because anybody can send one.
    proxy: bool | Sequence[str] | None = None
    #: A function of the request's facts that returns a new id, sync or async. None: 24 bytes from the system's CSPRNG.
    genid: Callable[[RequestFacts], str | Awaitable[str]] | None = None
    #: What happens when two requests changed one session: "merge" by key, "overwrite" as express-session does, or
    #: "error". "merge": nobody expects the other two.
    conflict: Literal["merge", "overwrite", "error"] = "merge"
    #: What happens when the store is down: "unavailable" answers 503, "raise" lets the exception through,
    #: "anonymous" serves without a session. "unavailable": an outage must not look like a log-out.
    on_store_error: Literal["unavailable", "raise", "anonymous"] = "unavailable"
    #: How long the store keeps a session whose cookie has no end of its own: seconds or a timedelta, which is turned
    #: into seconds. A day, as most Node stores; left out (or None in ``Sessions``), it is what the Node store with the
    #: same layout does, such as two weeks in MongoDB.
    ttl: float = 86_400.0
    #: The clock, in epoch seconds. A parameter, so that tests need not sleep.
    clock: Callable[[], float] = time.time
    #: A plain function that is told of each event (``sessile.events.Event``). None: the log and the counts are enough.
    on_event: Callable[[Event], object] | None = None
    #: Whether changes are stored when the response begins. True: with False, who forgets ``save()`` loses them.
    autosave: bool = True
    #: A function of the request's facts: whether it counts as a visit, with which the life of its session begins anew.
    #: None: each does, as in express-session.
    keep_alive: Callable[[RequestFacts], bool] | None = None
    #: The limits of a session's life, kept by the server: ``Lifetime(idle=1800, absolute=43_200)``, or what NIST asks
    #: for, ``Lifetime.AAL2``. None: as long as the cookie says, as in express-session.
    lifetime: Lifetime | None = None
    #: How many seconds (or a timedelta) of its life a session loses, before a request that changes nothing gives them
    #: back; never more than half of its life. 0: each does, as in express-session. 60 spares a busy site most of its
    #: writes, and a session that nobody uses ends up to 66 seconds early.
    touch_after: float = 0.0
    #: Whether the store is to know which sessions a user has, where it can keep an index: for ``of_user`` and
    #: ``revoke_user``. True: a user who changes the password wants to end them all. Costs a log-in two round trips.
    index_users: bool = True
    #: How many sessions a user may have at once, over all devices. None: as many as they like, as nearly everywhere.
    max_sessions_per_user: int | None = None
    #: What happens at a log-in beyond that: "end_oldest" ends the one that was begun first, "refuse" raises
    #: TooManySessions, which carries the list, so that the user can choose. "end_oldest": nobody is locked out.
    too_many_sessions: Literal["end_oldest", "refuse"] = "end_oldest"
    #: After how many seconds (or a timedelta) a session of a user is compared with the index again, in a store that
    #: evicts: memcached, Redis with an eviction policy. There a revocation may be lost. 60: one round trip a minute.
    index_check: float = 60.0
    #: What becomes of a user's session there whose index is gone: "end" it, or "keep" it and enter it anew. "end":
    #: nobody can tell whether it was revoked.
    index_lost: Literal["end", "keep"] = "end"
    #: How the token travels: in a "cookie"; in the "header" named below, both ways; or "bearer": it comes as
    #: ``Authorization: Bearer <token>`` and goes in that header. "cookie": what browsers keep.
    transport: Literal["cookie", "header", "bearer"] = "cookie"
    #: The header for the other two. "X-Session-Token": no standard has a name for it.
    header: str = "X-Session-Token"
    #: How the id travels: "signed", for everybody to read; "encrypted" (needs the extra ``encryption``);
    #: "fastify-session", as with @fastify/session without its ``cookiePrefix``; or "koa-session", as with that package
    #: and a store. "signed": what express-session reads; the id is worthless without the signature. "encrypted" takes
    #: signed tokens as well, for a site that changes over; "encrypted_only" does not. A sealed token is good under one
    #: name of a cookie, a signed one under any that has the same secret and store: give sites that trust each other
    #: less other secrets.
    token: Literal["signed", "encrypted", "encrypted_only", "fastify-session", "koa-session"] = "signed"  # noqa: S105
    #: What stands in the store: one or several of ``sessile.codecs``; the first writes, all read. None: JSON, which
    #: Node shares.
    codec: Codec | Sequence[Codec] | None = None
    #: Whether ids stand in the store as their SHA-256, so that whoever reads it cannot be anybody. False: Node finds
    #: the ids themselves.
    hash_ids: bool = False
    #: What becomes of a key that two requests changed: functions by key, yours or those of ``sessile.merge``. None:
    #: the later commit wins, as anybody would guess.
    merge: Mapping[str, Callable[[Any, Any, Any], Any]] | None = None
    #: To what depth dicts are joined key by key. 1, the top level: a cart is one thing, half of it another.
    merge_depth: int = 1
    #: How many bytes a session may have when it is written. A larger one raises SessionTooLarge, which names the
    #: largest key. A mebibyte: each request reads and writes all of it, and visitors make lists grow.
    max_bytes: int = 2**20
    #: Whether requests that pages of other origins send are refused with 403, if they may change something: POST and
    #: the like, and the handshake of a WebSocket. True: sessions are what cross-site request forgery rides on. A list
    #: allows some: origins, such as ``"https://app.example.com"``, and paths, with all below them if they end in "/".
    #: Not asked where the token travels in a header.
    cross_origin: bool | Sequence[str] = True
    #: How sessions are bound to the device they began on, so that a copied cookie is worth nothing after a few minutes:
    #: ``DeviceBinding()``. None: it needs https, and an extra.
    device: DeviceBinding | None = None

    def __post_init__(self) -> None:
        _check_cookie_name(self.name)
        if not isinstance(self.cookie, CookieOptions) and not callable(self.cookie):
            raise InvalidOption(
                "cookie", f"{self.cookie!r} is no CookieOptions", "Use CookieOptions(...), or a function returning one."
            )
        if isinstance(self.cookie, CookieOptions):
            self.check_prefix(self.cookie)
        for name in ("resave", "save_uninitialized", "rolling", "autosave", "hash_ids", "index_users"):
            _check_choice(name, getattr(self, name), (True, False))
        trust_in(self.proxy)
        origins_in(self.cross_origin)
        _check_choice("unset", self.unset, ("keep", "destroy"))
        _check_choice("conflict", self.conflict, ("merge", "overwrite", "error"))
        _check_choice("on_store_error", self.on_store_error, ("unavailable", "raise", "anonymous"))
        _check_choice("transport", self.transport, ("cookie", "header", "bearer"))
        tokens = ("signed", "encrypted", "encrypted_only", "fastify-session", "koa-session")
        _check_choice("token", self.token, tokens)
        if self.token == "koa-session" and self.transport != "cookie":  # noqa: S105
            raise InvalidOption("token", "koa-session's is two cookies", 'Leave out transport, or use token="signed".')
        _check_header(self.header)
        for name in ("genid", "on_event", "keep_alive"):
            if getattr(self, name) is not None and not callable(getattr(self, name)):
                raise InvalidOption(name, f"{getattr(self, name)!r} cannot be called", "Give a function, or None.")
        _check_plain("on_event", self.on_event)
        if not callable(self.clock):
            raise InvalidOption("clock", f"{self.clock!r} cannot be called", "Give a function such as time.time.")
        self._check_lengths()
        limit = self.max_sessions_per_user
        if limit is not None and (isinstance(limit, bool) or not isinstance(limit, int) or limit < 1):
            raise InvalidOption("max_sessions_per_user", f"{limit!r} is no number from 1", "None is no limit.")
        if limit is not None and not self.index_users:
            raise InvalidOption("max_sessions_per_user", "nobody counts without index_users", "Leave one of them out.")
        if self.device is not None and not isinstance(self.device, DeviceBinding):
            raise InvalidOption("device", f"{self.device!r} is no DeviceBinding", "Use sessile.DeviceBinding(...).")
        _check_choice("index_lost", self.index_lost, ("end", "keep"))
        _check_choice("too_many_sessions", self.too_many_sessions, ("end_oldest", "refuse"))
        self._check_codecs()
        self._check_merging()
        self._check_secrets()

    def with_ttl(self, ttl: float) -> Options:
        """Return these options with another ``ttl``, in seconds."""
        other = copy.copy(self)
        object.__setattr__(other, "ttl", ttl)
        return other

    def _check_secrets(self) -> None:
        secrets = self.secrets()
        if self.token.startswith("encrypted"):
            # Where signed tokens are still taken, an older secret may have signed them for Node.
            refuse_weak(secrets[:1] if self.token == "encrypted" else secrets, f"token={self.token!r}")  # noqa: S105
        warn_of_weak(secrets)

    def _check_lengths(self) -> None:
        ttl = seconds(self.ttl)
        if ttl is None or ttl <= 0:
            raise InvalidOption("ttl", f"{self.ttl!r} is no length of time", "Give seconds or a timedelta.")
        object.__setattr__(self, "ttl", ttl)
        if self.lifetime is not None and not isinstance(self.lifetime, Lifetime):
            raise InvalidOption("lifetime", f"{self.lifetime!r} is no Lifetime", "Use sessile.Lifetime(...), or None.")
        touch_after = seconds(self.touch_after)
        if touch_after is None or touch_after < 0:
            raise InvalidOption("touch_after", f"{self.touch_after!r} is no length of time", "Give seconds, or 0.")
        object.__setattr__(self, "touch_after", touch_after)
        check = seconds(self.index_check)
        if check is None or check < 0:
            raise InvalidOption("index_check", f"{self.index_check!r} is no length of time", "Give seconds.")
        object.__setattr__(self, "index_check", check)

    def _check_merging(self) -> None:
        if isinstance(self.max_bytes, bool) or not isinstance(self.max_bytes, int) or self.max_bytes < 1024:
            raise InvalidOption("max_bytes", f"{self.max_bytes!r} is not a number of bytes from 1024", "Give an int.")
        if isinstance(self.merge_depth, bool) or not isinstance(self.merge_depth, int) or self.merge_depth < 1:
            raise InvalidOption(
                "merge_depth", f"{self.merge_depth!r} is no depth", "1 is the top level, and more is deeper."
            )
        if self.merge is not None:
            if not isinstance(self.merge, Mapping) or not all(map(callable, self.merge.values())):
                raise InvalidOption("merge", "it is no mapping from keys to functions", 'Give such as {"count": add}.')
            if self.conflict != "merge":
                raise InvalidOption(
                    "merge", f"it means nothing with conflict={self.conflict!r}", "Leave one of them out."
                )

    def _check_codecs(self) -> None:
        for position, codec in enumerate(self.codecs()):
            if not all(callable(getattr(codec, verb, None)) for verb in ("encode", "decode")):
                raise InvalidOption("codec", f"{codec!r} is no codec", "Use those of sessile.codecs.")
            if position == 0 and getattr(codec, "only_reads", False):
                problem = f"a {type(codec).__name__} only reads, and the first one writes"
                raise InvalidOption("codec", problem, "Put another codec in front of it.")

    def __repr__(self) -> str:
        return f"<Options name={self.name!r}>"

    def secrets(self) -> list[bytes]:
        """Return the secrets as bytes, the signing one first. Raises InvalidOption if there is none."""
        given = self.secret if _several(self.secret) else [self.secret]
        if not given or None in given:
            raise InvalidOption("secret", "there is none", f"Make one with: {MAKE_SECRET}")
        return [secret_bytes(secret) for secret in given]

    def codecs(self) -> list[Codec]:
        """Return the codecs, the writing one first; none if records are plain JSON."""
        if self.codec is None:
            return []
        return list(self.codec) if isinstance(self.codec, Sequence) else [self.codec]

    def dropped(self, secure: bool, same_site: object, partitioned: bool) -> str:
        """Return why browsers drop a cookie of this name silently, "" if they keep it (RFC 6265bis 5.7).

        It is stored neither by them nor by us then: a visitor would get another session with each request.
        """
        if secure:
            return ""
        if self.name.lower().startswith(("__host-", "__secure-", "__http-")):
            return f"the name {self.name!r} needs https, and the request came by http"
        if same_site == "none":
            return 'same_site="none" needs https, and the request came by http'
        return "partitioned=True needs https, and the request came by http" if partitioned else ""

    def check_prefix(self, cookie: CookieOptions) -> None:
        """Raise InvalidOption if browsers would refuse ``cookie`` under this name (RFC 6265bis section 4.1.3)."""
        name = self.name.lower()
        if name.startswith(("__host-", "__secure-", "__http-")) and not cookie.secure:
            raise InvalidOption("cookie secure", f"False under the name {self.name!r}", "The prefix needs secure=True.")
        if name.startswith(("__http-", "__host-http-")) and not cookie.http_only:
            raise InvalidOption(
                "cookie http_only", f"False under the name {self.name!r}", "The prefix needs http_only."
            )
        if name.startswith("__host-"):
            if cookie.domain:
                raise InvalidOption(
                    "cookie domain", f"{cookie.domain!r} under the name {self.name!r}", "The prefix allows no domain."
                )
            if cookie.path != "/":
                raise InvalidOption(
                    "cookie path", f"{cookie.path!r} under the name {self.name!r}", 'The prefix needs path="/".'
                )


def _several(secret: object) -> TypeGuard[Sequence[object]]:
    return isinstance(secret, Sequence) and not isinstance(secret, (str, bytes, bytearray))


#: RFC 9110 section 5.6.2.
_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")


def _check_cookie_name(value: object) -> None:
    try:
        if not isinstance(value, str):
            raise TypeError
        cookies.serialize(value, "")
    except (TypeError, ValueError):
        remedy = "Use letters, digits and -._~: (no blank, semicolon or equals sign)."
        raise InvalidOption("name", f"{value!r} cannot name a cookie", remedy) from None


def _check_header(value: object) -> None:
    if not isinstance(value, str) or not _TOKEN.fullmatch(value):
        remedy = "Use letters, digits and -._~ (RFC 9110 token)."
        raise InvalidOption("header", f"{value!r} cannot name a header", remedy)


def _check_plain(name: str, function: object) -> None:
    if inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(type(function).__call__):
        remedy = "Give a plain function; if something has to be awaited, let it put the event into a queue."
        raise InvalidOption(name, "it is a coroutine function, and nobody would await it", remedy)


def _check_choice(option: str, value: object, allowed: tuple[str | bool | None, ...]) -> None:
    # By identity, because 1 equals True.
    if not any(value is choice or (isinstance(value, str) and value == choice) for choice in allowed):
        raise InvalidOption(option, f"{value!r} is unknown", f"Use one of: {', '.join(map(repr, allowed))}.")
