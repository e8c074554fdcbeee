# What asgi.py, wsgi.py and the admin of Django share. Who may enter is for the site to say, and there is no default: a
# console that anybody can open is worse than none. The name that the rule returns is what events say, so that nobody
# acts without one.
#
# Plain http is for this machine only: elsewhere the operator's cookie, and what they see, could be read on the way. A
# request is of this machine if its peer and its Host are, and if no proxy has left a word that it came from elsewhere.
"""The console in a site: who may enter, and by which way."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from ipaddress import ip_address
from typing import Final, ParamSpec, TypeVar
from urllib.parse import parse_qs, parse_qsl, quote, urlsplit

from sessile import RequestFacts, Session, Sessions
from sessile._wire.origins import SAFE, Origins
from sessile._wire.proxy import is_secure
from sessile.console.core import FILES, HEADERS, Answer, Asked, Console, Source
from sessile.errors import InvalidOption
from sessile.events import EventKind

__all__ = ["LARGEST_FORM", "InThread", "Mounted", "check_rule"]

P = ParamSpec("P")
T = TypeVar("T")

#: The largest form, in bytes: 50 handles and a user.
LARGEST_FORM: Final = 65_536

_PROXIES: Final = ("x-forwarded-for", "x-forwarded-proto", "forwarded", "via")


class InThread:
    """The sessions of a program, asked from synchronous code."""

    app = True

    def __init__(self, sessions: Sessions) -> None:
        self.sessions = sessions
        self.place: str = getattr(sessions.store, "place", None) or type(sessions.store).__name__
        self.keys = len(sessions.options.secrets())

    def ask(self, call: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> T:
        """Return what ``call`` returns."""
        return call(*arguments, **named)

    def all(self) -> Iterator[Session]:
        """Yield all live sessions."""
        yield from self.sessions.all()


def check_rule(who: object) -> None:
    """Raise InvalidOption if there is no rule for who may enter."""
    if not callable(who):
        remedy = "Give a function of the session and the request that returns the operator's name, or None to refuse."
        raise InvalidOption("who", f"{who!r} is no rule for who may enter", remedy)


class Mounted:
    """Answers the requests of a site, below a prefix."""

    def __init__(self, source: Source, *, show_data: bool, read_only: bool) -> None:
        self._console = Console(source, show_data=show_data, read_only=read_only)
        self._setup = source.sessions.engine.setup
        self._origins = Origins()  # Whatever the site allows elsewhere.

    def refusal(self, facts: RequestFacts) -> Answer | None:
        """Return the answer to a request that is refused, whoever has sent it, or None."""
        if not is_secure(facts, self._setup.trust) and not _is_here(facts):
            words = "The console is for HTTPS. Behind a proxy that ends TLS, set proxy=[its address] in the options."
            return self._console.message(403, "Not by plain HTTP", words)
        if facts.method in SAFE:
            return None
        reason = self._origins.refusal(facts, self._setup.trust)
        if facts.header("origin") is None and facts.header("sec-fetch-site") is None:
            reason = "it does not say where it comes from, as every browser does"
        if not reason:
            return None
        self._setup.events.report(EventKind.CROSS_ORIGIN, None, reason, lambda: facts)
        return self._console.message(403, "Refused", "This form was sent by a page of another site.")

    def answer(
        self, facts: RequestFacts, path: str, query: str, body: bytes, who: object, *, read_only: bool = False
    ) -> Answer:
        """Return the answer to a request that was not refused. ``who`` is what the rule has returned.

        ``path`` is what is left without the prefix.
        """
        if path in FILES and facts.method in SAFE:  # The page that refuses somebody has its look, too.
            return self._console.answer(Asked(facts.method, path, {}, ""))
        if who is None or who is False or who == "":
            return self._console.message(403, "You are not let in", "Log in as somebody who may enter the console.")
        if not isinstance(who, str):
            problem = f"it returned a {type(who).__name__}"
            raise InvalidOption("who", problem, "Return the operator's name, for the events, or None to refuse.")
        if not path:  # Links are relative to the folder.
            return Answer(303, b"", (("Location", f"./{quote(facts.path.rpartition('/')[2])}/"), *HEADERS))
        if len(body) > LARGEST_FORM:
            return self._console.message(413, "Too large", "Nothing was changed.")
        form = parse_qs(body.decode("utf-8", "replace"), errors="replace")
        asked: Mapping[str, str] = dict(parse_qsl(query, errors="replace"))
        return self._console.answer(Asked(facts.method, path, asked, who, form, read_only))


def _is_here(facts: RequestFacts) -> bool:
    if any(facts.header(name) is not None for name in _PROXIES):
        return False
    try:
        host = urlsplit(f"//{facts.header('host') or ''}").hostname or ""
        return ip_address(facts.client or "").is_loopback and (host == "localhost" or ip_address(host).is_loopback)
    except ValueError:
        return False
