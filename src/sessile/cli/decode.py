# Each secret is tried alone, by the very transport that the middleware uses: what is right here is right there.
"""``sessile decode``: look into a session cookie."""

from __future__ import annotations

import math
import re
import sys
import warnings
from collections.abc import Iterator
from contextlib import ExitStack
from copy import copy
from dataclasses import dataclass, replace
from typing import Annotated, Any

import typer

from sessile import SessionError, cookies
from sessile._engine.content import Held
from sessile._engine.forms import make_content
from sessile._engine.transports import make_transport
from sessile.cli.handle import handle_of
from sessile.cli.output import Json, console, emit, grid, moment, plain
from sessile.cli.span import ago, until
from sessile.cli.target import App, Site, Store, opened, secrets_of_environment
from sessile.cli.wrong import WrongArguments
from sessile.options import Options, WeakSecretWarning
from sessile.stores.base import Carried, can

__all__ = ["decode"]

#: What a token begins with, and whether it is encrypted.
_KINDS = {b"s%3A": False, b"s%3a": False, b"s:": False, b"e.": True, b"c.": True}

_TIMES = {"last_seen": ("last seen", ago), "expires_at": ("ends", until)}


@dataclass(frozen=True, slots=True)
class _Found:
    raw: bytes
    #: Which secret made it, counted from 1; None if none did.
    secret: int | None = None
    sid: str = ""
    held: Held | None = None

    @property
    def encrypted(self) -> bool:
        return self.raw[:2] in (b"e.", b"c.")


def decode(
    text: Annotated[
        str | None,
        typer.Argument(
            metavar="COOKIE",
            help="The value of the cookie, or a whole Cookie header. Left out, it is read from the standard input, "
            "where nobody else on this machine sees it.",
        ),
    ] = None,
    app: App = None,
    store: Store = None,
    name: Annotated[str, typer.Option(help="The name of the cookie, if no --app says it.")] = "connect.sid",
    show_id: Annotated[bool, typer.Option("--id", help="Show the id.")] = False,
    json: Json = False,
) -> None:
    """Tell whether a session cookie is good.

    Whether its signature is right, by which secret, and whether its session lives.

    Secrets are those of --app, or stand in SESSION_SECRET, one a line. The exit code is 1 unless the signature is
    right, and the session lives where there is a store to ask.
    """
    header = _header(sys.stdin.read() if text is None else text)
    with ExitStack() as stack:
        site = stack.enter_context(opened(app, store)) if app or store else None
        options = site.sessions.options if site is not None and site.app else _of_environment(name)
        good = False
        for number, found in enumerate(_read(header, options, site)):
            says, right = _say(found, options, site, show_id)
            good = good or right
            if json:
                emit(**{key: moment(value) if key in _TIMES else value for key, value in says.items()})
            else:
                _print(says, options, blank=bool(number))
    if not good:
        raise typer.Exit(1)


def _of_environment(name: str) -> Options:
    keys = secrets_of_environment()
    if not keys:
        raise WrongArguments("which secret? Set SESSION_SECRET, or give --app MODULE:NAME")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", WeakSecretWarning)
        return Options(secret=keys, name=name)


def _header(text: str) -> bytes:
    """Return what stands behind the name of a header, and within quotes, in case they were copied with it."""
    return (
        re.sub(r"^\s*(set-)?cookie:", "", text, flags=re.IGNORECASE).strip(' \t\r\n"').encode("utf-8", "surrogatepass")
    )


def _read(header: bytes, options: Options, site: Site | None) -> Iterator[_Found]:
    """Yield each token that ``header`` has, with the secret that made it. Raises SessionError if it has none."""
    store: Any = None if site is None else site.sessions.store
    if site is not None and site.app and can(store, Carried):
        yield from _carried(header, options, store)
        return
    if options.transport == "cookie":
        name = options.name.encode("ascii")
        values = cookies.candidates(header, name) or ([header] if _is_token(header) else [])
        if not values:
            names = sorted(cookies.parse(header.decode("utf-8", "replace")))
            others = ", ".join(plain(name).plain for name in names) or "none"
            raise SessionError(f"there is no cookie {options.name!r} in it, nor is it a token. Cookies in it: {others}")
        for raw in values:
            # The signature of koa-session's is in another cookie.
            yield _unsigned(raw, header if options.token == "koa-session" else name + b"=" + raw, options)  # noqa: S105
    else:
        name = re.escape(options.header.encode("ascii"))
        raw = re.sub(rb"^((authorization|%b):)?\s*(bearer\s+)?" % name, b"", header, flags=re.IGNORECASE)
        yield _unsigned(raw, raw if options.transport == "header" else b"Bearer " + raw, options)


def _is_token(text: bytes) -> bool:
    return any(text.startswith(kind) for kind in _KINDS)


def _unsigned(raw: bytes, header: bytes, options: Options) -> _Found:
    for position, each in enumerate(_alone(options), 1):
        # Only what is encrypted needs the package that decrypts.
        asked = each
        if each.token in ("signed", "encrypted"):
            asked = replace(each, token="encrypted" if raw.startswith(b"e.") else "signed")
        sids = make_transport(asked).read(header).sids
        if sids:
            return _Found(raw, position, sids[0])
    return _Found(raw)


def _carried(header: bytes, options: Options, store: Carried) -> Iterator[_Found]:
    name = options.name.encode("ascii")
    if not cookies.candidates(header, name):
        header = name + b"=" + header
    hidden = store.form not in ("cookie-session", "koa-session")
    # Each secret is tried alone, and their numbers are for writing.
    store = copy(store)
    store.password_ids = None
    for position, each in enumerate(_alone(options), 1):
        for held in make_content(each, store).open(header)[0]:
            yield _Found(b"c." if hidden else b"", position, held.sid, held)
            return
    yield _Found(b"c." if hidden else b"")


def _alone(options: Options) -> Iterator[Options]:
    """Yield the options once for each secret, as if there were no other."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", WeakSecretWarning)
        for secret in options.secrets():
            yield replace(options, secret=secret)


def _say(found: _Found, options: Options, site: Site | None, show_id: bool) -> tuple[dict[str, Any], bool]:
    """Return what is to be said of a token, and whether it is a good one."""
    says: dict[str, Any] = {"valid": found.secret is not None, "secret": found.secret, "encrypted": found.encrypted}
    if found.secret is None:
        return says, False
    if show_id:
        says["id"] = str(found.sid)
    if found.held is not None:
        end = found.held.record.expires_at
        lives = end > options.clock()
        return {**says, "lives": lives, "expires_at": end if math.isfinite(end) else None}, lives
    if site is None:
        return says, True
    session = site.ask(site.sessions.open, found.sid)
    says["handle"] = handle_of(site, found.sid if session is None else session)
    if session is None:
        return {**says, "lives": False}, False
    times = {"last_seen": session.last_seen, "expires_at": session.expires_at}
    return {**says, "lives": True, "user": session.user_id, **times}, True


def _print(says: dict[str, Any], options: Options, *, blank: bool) -> None:
    out, secrets, now = console(), len(options.secrets()), options.clock()
    if blank:
        out.print()
    facts = grid()
    of = f"of {secrets} secrets" if secrets > 1 else "secret"
    if says["valid"]:
        which = f"number {says['secret']} {of}" if secrets > 1 else "the secret"
        facts.add_row("signature", f"right, made with {which}")
    else:
        facts.add_row("signature", f"WRONG: not made with {'any ' + of if secrets > 1 else 'the secret'}")
    facts.add_row("encrypted", "yes" if says["encrypted"] else "no: whoever has it can read the id")
    for key, title in (("id", "id"), ("handle", "handle")):
        if key in says:
            facts.add_row(title, plain(says[key]))
    if "lives" in says:
        facts.add_row("session", "lives" if says["lives"] else "has ended, or never was")
    if says.get("user") is not None:
        facts.add_row("user", plain(says["user"]))
    for key, (title, relative) in _TIMES.items():
        if says.get(key):
            facts.add_row(title, f"{relative(says[key], now)} ({moment(says[key])})")
    out.print(facts)
