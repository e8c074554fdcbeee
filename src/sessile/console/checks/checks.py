# Each check is a function that yields what it finds, each a problem and its remedy; its docstring is its row in the
# reference.
#
# Sources are short in what is printed: ASVS is OWASP's Application Security Verification Standard 5.0, OWASP its
# Session Management Cheat Sheet, NIST is SP 800-63B-4, and 6265bis the draft that succeeds RFC 6265, on cookies.
"""What can be weak in a configuration: the checks of `sessile check`."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from contextlib import suppress

from sessile import CookieOptions, SessionError, StoreRefused
from sessile._wire.secret import SECRET_BYTES, weakness_of
from sessile.console.checks.checked import CHECKS, Checked, Found, Level, check
from sessile.console.checks.length import length
from sessile.console.checks.places import is_plain, path_of, remedy_for
from sessile.cookies import MAX_AGE_LIMIT
from sessile.stores.base import Indexed, Iterable, can
from sessile.stores.wrapped import WrappedStore

__all__ = ["CHECKS"]

#: NIST SP 800-63B-4 section 2.1.3: the longest life for the lowest level of assurance.
LONGEST = 30 * 86_400


# The secret -----------------------------------------------------------------------------------------------------------

_ANOTHER = "Make one with `sessile secret` and put it in front of the list; leave the old one out in a while."


def _secrets(checked: Checked) -> Iterator[tuple[str, bytes]]:
    """Yield what to call each secret, and the secret."""
    if checked.site.keys:
        known = checked.options.secrets()
        for number, secret in enumerate(known, 1):
            yield "the secret" if len(known) == 1 else f"secret number {number}", secret


@check(Level.ERROR, "ASVS 13.3.1")
def secret_missing(checked: Checked) -> Found:
    """No secret is given: with --store, SESSION_SECRET is not set."""
    if not checked.site.keys:
        yield "SESSION_SECRET is not set, so there is no secret", "Make one with `sessile secret`."


@check(Level.ERROR, "ASVS 11.2.3, 13.3.1; OWASP, Session ID Entropy")
def secret_guessable(checked: Checked) -> Found:
    """A secret is well known, stands in documentation, or is a few letters repeated."""
    for which, secret in _secrets(checked):
        weakness = weakness_of(secret)
        if weakness is not None and weakness.guessable:
            yield f"{which} is well known or easily guessed: whoever has it can make tokens", _ANOTHER


@check(Level.ERROR, "ASVS 11.2.3")
def secret_short(checked: Checked) -> Found:
    """A secret has fewer than 16 bytes."""
    for which, secret in _secrets(checked):
        weakness = weakness_of(secret)
        if weakness is not None and weakness.grave and not weakness.guessable:
            yield f"{which} has {len(secret)} bytes, which a machine can guess from one token", _ANOTHER


@check(Level.WARNING, "NIST SP 800-107")
def secret_shorter_than_hash(checked: Checked) -> Found:
    """A secret has fewer than 32 bytes, which is the length of the hash."""
    for which, secret in _secrets(checked):
        weakness = weakness_of(secret)
        if weakness is not None and not weakness.grave:
            yield f"{which} has {len(secret)} bytes, and HMAC-SHA256 wants {SECRET_BYTES}", _ANOTHER


@check(Level.NOTE, "ASVS 13.3.4")
def secret_rotation(checked: Checked) -> Found:
    """There are several secrets: each that is still accepted is one that can leak."""
    if checked.site.keys > 1:
        problem = f"{checked.site.keys} secrets are accepted, and tokens by any of them"
        yield problem, f"Leave the old ones out when what they signed has ended: in {length(checked.idle)}, or later."


# The cookie -----------------------------------------------------------------------------------------------------------


def _cookie(checked: Checked) -> Iterator[CookieOptions]:
    if checked.by_cookie and checked.cookie is not None:
        yield checked.cookie


@check(Level.ERROR, "ASVS 3.3.1; 6265bis section 4.1.2.5")
def cookie_insecure(checked: Checked) -> Found:
    """secure=False: the cookie travels over plain http too, where anybody on the way reads it."""
    for cookie in _cookie(checked):
        if cookie.secure is False:
            yield "secure=False: the cookie also travels by plain http", "Set secure=True."


@check(Level.NOTE, "ASVS 3.3.1")
def cookie_secure_auto(checked: Checked) -> Found:
    """secure="auto": behind a proxy that is not trusted, the request looks like http and Secure is left out."""
    for cookie in _cookie(checked):
        if cookie.secure == "auto":
            problem = 'secure="auto": where the server does not know that a request came by https, Secure is left out'
            yield problem, "Set secure=True in production; behind a proxy that ends TLS, also proxy=[its address]."


@check(Level.ERROR, "ASVS 3.3.4; OWASP, HttpOnly Attribute")
def cookie_readable(checked: Checked) -> Found:
    """http_only=False: a script that was smuggled into a page can send the cookie away."""
    for cookie in _cookie(checked):
        if not cookie.http_only:
            yield "http_only=False: any script in a page can read the cookie", "Set http_only=True."


@check(Level.WARNING, "ASVS 3.3.2; 6265bis section 4.1.2.7")
def cookie_cross_site(checked: Checked) -> Found:
    """same_site is "none", "auto" or left out: forms of other sites come with the visitor's session."""
    for cookie in _cookie(checked):
        if cookie.same_site in ("none", "auto", None, False):
            problem = f"same_site={cookie.same_site!r}: requests that other sites cause may carry the session"
            yield problem, 'Set same_site="lax", or "strict"; if other sites embed yours, check their tokens (CSRF).'


@check(Level.WARNING, "OWASP, Domain and Path Attributes; 6265bis section 4.1.2.3")
def cookie_domain(checked: Checked) -> Found:
    """A domain is set: all its subdomains get the cookie, and can set another in its place."""
    for cookie in _cookie(checked):
        if cookie.domain:
            problem = f"domain={cookie.domain!r}: every host below it gets the cookie, the least safe one too"
            yield problem, "Leave domain out, so that this host alone has it."


@check(Level.NOTE, "ASVS 3.3.3; 6265bis section 4.1.3")
def cookie_name_prefix(checked: Checked) -> Found:
    """The name does not begin with __Host-: a subdomain, or somebody on plain http, can set a cookie of its name."""
    for cookie in _cookie(checked):
        if not checked.options.name.lower().startswith(("__host-", "__host-http-")) and not cookie.domain:
            problem = f"the name {checked.options.name!r} has no prefix __Host-, so a neighbour can set such a cookie"
            yield (
                problem,
                'Set name="__Host-session" and secure=True. (Node must know the name, if it shares sessions.)',
            )


@check(Level.NOTE, "6265bis section 5.6.2")
def cookie_too_long(checked: Checked) -> Found:
    """max_age is over 400 days, where browsers cut it off."""
    for cookie in _cookie(checked):
        life = cookie.lifetime(checked.options.clock())
        if life is not None and life > MAX_AGE_LIMIT:
            yield f"max_age is {length(life)}; browsers forget a cookie after 400d", "Make it shorter."


@check(Level.NOTE, "")
def cookie_unknown(checked: Checked) -> Found:
    """A function makes the cookie's attributes, and cannot be asked here: they are not checked."""
    if checked.by_cookie and checked.cookie is None:
        yield (
            "cookie= is a function that fails without a real request: its attributes were not checked",
            "Look yourself.",
        )


@check(Level.NOTE, "ASVS 3.3.4")
def transport_header(checked: Checked) -> Found:
    """The token travels in a header: in a browser, scripts must keep it, and can be robbed of it."""
    if not checked.by_cookie:
        problem = f"transport={checked.options.transport!r}: in a browser, the token is where scripts can read it"
        yield problem, "Use it for programs; for browsers, the cookie."


@check(Level.WARNING, "ASVS 4.1.3")
def proxy_anybody(checked: Checked) -> Found:
    """proxy=True: X-Forwarded-Proto is believed whoever sends it."""
    if checked.options.proxy is True:
        yield "proxy=True: a request by http that says it came by https is believed", "List your proxies: proxy=[...]."


@check(Level.NOTE, "ASVS 7.2.3")
def ids_of_your_own(checked: Checked) -> Found:
    """genid is set: how hard its ids are to guess cannot be seen from here."""
    if checked.options.genid is not None:
        yield "genid is a function of yours", "Make sure of 128 random bits, from `secrets`; or leave it out."


# How long -------------------------------------------------------------------------------------------------------------


@check(Level.WARNING, "NIST section 2.1.3; ASVS 7.3.1, 7.3.2; OWASP, Session Expiration")
def life_long(checked: Checked) -> Found:
    """A session that nobody uses lives for more than 30 days, and there is no absolute limit below."""
    if checked.idle > LONGEST and (checked.absolute is None or checked.absolute > LONGEST):
        yield f"an unused session lives for {length(checked.idle)}", "Shorten max_age or ttl to 30 days or less."


@check(Level.WARNING, "NIST section 2.1.3; ASVS 7.3.2")
def life_absolute_long(checked: Checked) -> Found:
    """The absolute limit of a session's life, or of one whose visitor is remembered, is over 30 days."""
    for limit in (checked.absolute, checked.remembered):
        if limit is not None and limit > LONGEST:
            yield f"a session can be used for {length(limit)} after its log-in", "Make it 30 days or less."


@check(Level.NOTE, "ASVS 7.3.2; NIST section 2.1.3; OWASP, Absolute Timeout")
def life_unlimited(checked: Checked) -> Found:
    """There is no absolute limit: a session that is used every day, by its owner or a thief, never ends."""
    if checked.absolute is None and checked.idle <= LONGEST:
        problem = f"a session that is used at least every {length(checked.idle)} never ends"
        yield (
            problem,
            "Set lifetime=Lifetime(absolute=...), or end it where your program sees an old created_at.",
        )


# The store ------------------------------------------------------------------------------------------------------------


@check(Level.ERROR, "")
def store_unreachable(checked: Checked) -> Found:
    """The store does not answer from here, or refuses."""
    if checked.keeps:
        try:
            checked.site.ask(checked.site.sessions.open, "sessile")
        except StoreRefused as error:
            problem = f"{checked.site.place} answers, and refused to {error.operation}: {error.reason}"
            yield problem, "It is up: give it what the reason names, such as a table, a right or room."
        except SessionError as error:
            yield f"{checked.site.place} does not answer: {error}", "Start it, or put its address right."


@check(Level.WARNING, "")
def store_in_memory(checked: Checked) -> Found:
    """Sessions are kept in memory: a restart forgets them, and each of several processes has its own."""
    if checked.in_memory:
        problem = "sessions are in memory: a restart logs everybody out, and several processes do not share them"
        yield problem, 'Use store="sqlite:///sessions.db", or a server.'


@check(Level.WARNING, "ASVS 7.4.1; OWASP, Session Expiration")
def store_in_cookie(checked: Checked) -> Found:
    """Sessions travel in the cookie: no log-out and no administrator can end one that was copied."""
    if not checked.keeps:
        yield "sessions are in the visitors' cookies: a copy is good until its end, after a log-out too", "Use a store."


@check(Level.WARNING, "ASVS 12.3.1")
def store_without_tls(checked: Checked) -> Found:
    """The store is a server on another host, and the way to it is not encrypted. Seen where a URL names the store."""
    if checked.place is not None and is_plain(checked.place):
        problem = f"{checked.place} is on another host, and what goes there can be read on the way"
        yield problem, remedy_for(checked.place)


@check(Level.ERROR, "CVE-2019-16354")
def store_readable(checked: Checked) -> Found:
    """Other users of the machine can read, or write, the file or folder of the sessions. Seen where a URL names it."""
    path = path_of(checked.place or "")
    if path is not None:
        with suppress(OSError):
            mode = stat.S_IMODE(path.stat().st_mode)
            if mode & 0o077:
                wanted = "700" if path.is_dir() else "600"
                yield f"{path} has mode {mode:03o}: other users of this machine get at it", f"chmod {wanted} {path}"


@check(Level.WARNING, "ASVS 7.4.2, 7.4.3, 7.5.2")
def store_without_index(checked: Checked) -> Found:
    """The store keeps no index, so nobody can end all sessions of a user."""
    if checked.keeps and checked.options.index_users and not can(checked.store, Indexed):
        yield "the store cannot tell a user's sessions", "Give it the ability Indexed (sessile.stores.base)."


@check(Level.NOTE, "ASVS 7.4.5")
def store_without_list(checked: Checked) -> Found:
    """The store cannot list its sessions: nobody can see them all, or end them all."""
    if checked.keeps and not can(checked.store, Iterable):
        yield "the store cannot list its sessions, nor end them all", "Give it the ability Iterable, or take another."


@check(Level.WARNING, "ASVS 7.4.2, 7.4.3, 7.5.2")
def users_not_indexed(checked: Checked) -> Found:
    """index_users=False: nobody can end all sessions of a user, after a change of password for one."""
    if checked.keeps and not checked.options.index_users:
        yield (
            "index_users=False: revoke_user and of_user cannot work",
            "Leave it out: it costs a log-in two round trips.",
        )


@check(Level.WARNING, "")
def store_not_atomic(checked: Checked) -> Found:
    """The store is wrapped around get, set and destroy: a log-out may be undone by a request in flight."""
    if isinstance(checked.inner, WrappedStore):
        yield "the store cannot compare and write in one step", "Give it the five verbs of sessile.stores.base.Store."


@check(Level.NOTE, "CVE-2020-26228")
def ids_plain(checked: Checked) -> Found:
    """hash_ids=False: ids stand in the store as they are, for whoever reads it, or a backup of it."""
    if checked.keeps and not checked.in_memory and not checked.options.hash_ids:
        problem = "hash_ids=False: who reads the store and has the secret can be anybody"
        yield problem, "Set hash_ids=True, unless Node shares the store. (It ends the sessions that there are.)"


# Behaviour ------------------------------------------------------------------------------------------------------------


@check(Level.WARNING, "CVE-2015-5143")
def save_uninitialized(checked: Checked) -> Found:
    """save_uninitialized=True: each request without a cookie makes a record, so that robots can fill the store."""
    if checked.options.save_uninitialized and checked.keeps:
        yield "save_uninitialized=True: each request without a cookie makes a record", "Leave it out."


@check(Level.WARNING, "")
def conflict_overwrite(checked: Checked) -> Found:
    """conflict="overwrite": requests at once lose changes, and one in flight brings back a session that was ended."""
    if checked.options.conflict == "overwrite":
        problem = 'conflict="overwrite": of two requests at once one loses its changes, and a log-out may be undone'
        yield problem, 'Leave it out: "merge" is the default.'


@check(Level.NOTE, "ASVS 7.4.1")
def unset_keep(checked: Checked) -> Found:
    """unset="keep": setting the session to None leaves its record alive; a log-out that does that is none."""
    if checked.options.unset == "keep" and checked.keeps:
        problem = 'unset="keep": `request.session = None` does not end the session'
        yield problem, 'Log out by session.logout(), or set unset="destroy".'


@check(Level.NOTE, "")
def outage_anonymous(checked: Checked) -> Found:
    """on_store_error="anonymous": in an outage everybody is served as a stranger."""
    if checked.options.on_store_error == "anonymous":
        yield 'on_store_error="anonymous": in an outage users look logged out', "Leave it out, if that matters: 503."
