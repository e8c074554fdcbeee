"""Nobody gets a session by an id of before, nobody is kept from logging out, and what was taken stays taken."""

from __future__ import annotations

from typing import Any

import pytest

from sessile import CookieOptions, Lifetime, RequestFacts, Session, Sessions
from sessile.stores.memory import MemoryStore
from tests._engine.test_revocation import Servers
from tests.conftest import SECRET, Clock


def log_in(session: Session) -> None:
    session.login("zoe")


# An id of before ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kept", [True, ["cart"]])
@pytest.mark.parametrize("grace", [0, 60])
def test_who_comes_by_an_id_of_before_gets_no_new_one(kept: Any, grace: float) -> None:
    """Grace is for requests in flight; it never becomes possession."""
    servers = Servers()
    old = servers.visit(b"", log_in)
    rightful = servers.visit(old, lambda session: session.regenerate(keep=True, grace=60))
    servers.clock.advance(20)
    thief = servers.visit(old, lambda session: session.regenerate(keep=kept, grace=grace))
    assert thief == old
    servers.clock.advance(100)
    assert servers.user(thief) is None
    assert servers.user(rightful) == ("zoe" if kept is True else None)


def test_and_none_if_it_was_in_flight() -> None:
    """It had loaded the session under the old id, and the other request was first."""
    servers = Servers()
    old = servers.visit(b"", log_in)
    late = servers.here.engine.begin_sync(old, RequestFacts)
    rightful = servers.visit(old, lambda session: session.regenerate(keep=True, grace=60))
    late.regenerate(keep=True)
    late["seen"] = 1
    assert servers.here.engine.commit_sync(late) == ()
    assert servers.user(rightful) == "zoe"
    assert servers.here.engine.begin_sync(rightful, RequestFacts)["seen"] == 1


def test_a_proof_of_who_they_are_gives_one() -> None:
    servers = Servers()
    old = servers.visit(b"", log_in)
    servers.visit(old, lambda session: session.regenerate(keep=True, grace=60))
    again = servers.visit(old, log_in)
    assert again != old
    assert servers.user(again) == "zoe"


def test_a_renewal_in_flight_by_an_id_of_before_is_not_told_a_new_one_of_a_handler() -> None:
    servers = Servers(lifetime=Lifetime(renew_every=100, renewal_grace=30))
    old = servers.visit(b"", log_in)
    servers.clock.advance(200)
    late = servers.here.engine.begin_sync(old, RequestFacts)
    servers.visit(old, lambda session: session.regenerate(keep=True, grace=60))
    assert servers.here.engine.commit_sync(late) == ()


# Several cookies ------------------------------------------------------------------------------------------------------


def test_a_log_out_ends_every_session_that_the_cookies_name() -> None:
    """A neighbour who plants a cookie cannot keep a visitor from logging out."""
    servers = Servers()
    victim, planted = servers.visit(b"", log_in), servers.visit(b"", lambda session: session.update(cart=1))
    engine = servers.here.engine
    session = engine.begin_sync(victim + b"; " + planted, RequestFacts)
    session.logout()
    (value,) = engine.commit_sync(session)
    assert "Max-Age=0" in value
    assert servers.live() == []
    assert servers.events.count("destroyed") == 2


def test_and_expires_each_of_them() -> None:
    """The attributes of the cookie were changed since one of them was set."""
    clock = Clock()
    store = MemoryStore(clock=clock)
    before = Sessions(secret=SECRET, store=store, clock=clock, cookie=CookieOptions(domain="example.com")).engine
    after = Sessions(secret=SECRET, store=store, clock=clock).engine
    cookies = []
    for engine in (before, after):
        session = engine.begin_sync(b"", RequestFacts)
        session["n"] = 1
        cookies.append(engine.commit_sync(session)[0].split(";")[0].encode())
    session = after.begin_sync(b"; ".join(cookies), RequestFacts)
    session.destroy()
    values = after.commit_sync(session)
    assert sorted("example.com" in value for value in values) == [False, True]
    assert all("Max-Age=0" in value for value in values)


@pytest.mark.parametrize("turned", [False, True])
def test_two_cookies_of_one_session_are_one(turned: bool) -> None:
    """During the grace of a renewal a browser may send both, if an attribute was changed; it stays logged in."""
    servers = Servers()
    old = servers.visit(b"", log_in)
    new = servers.visit(old, lambda session: session.regenerate(keep=True, grace=60))
    both = [new, old] if turned else [old, new]
    assert servers.user(b"; ".join(both)) == "zoe"
    again = servers.visit(b"; ".join(both), lambda session: session.regenerate(keep=True))
    assert servers.user(again) == "zoe"
    assert "ambiguous_cookies" not in servers.events


# A value for one request ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("conflict", ["merge", "overwrite"])
def test_what_was_taken_once_is_not_put_back(conflict: Any) -> None:
    """A request that had loaded it writes all that it has, and leaves out what another one took."""
    servers = Servers(conflict=conflict)
    jar = servers.visit(b"", lambda session: session.update(token="t", n=0))
    late, later = (servers.here.engine.begin_sync(jar, RequestFacts) for _ in range(2))
    taken: list[Any] = []
    servers.visit(jar, lambda session: taken.append(session.pop_once("token")))
    for number, session in enumerate((late, later)):
        session["n"] = number
        servers.here.engine.commit_sync(session)
        servers.visit(jar, lambda session: taken.append(session.pop_once("token")))
    assert taken == ["t", None, None]
    servers.visit(jar, lambda session: session.update(token="u"))
    servers.visit(jar, lambda session: taken.append(session.pop_once("token")))
    assert taken[-1] == "u"


# A limit that is new --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("max_age", [None, 20_000])
@pytest.mark.parametrize("user", [True, False])
def test_an_idle_limit_holds_for_sessions_from_before_it(max_age: int | None, user: bool) -> None:
    clock = Clock()
    store = MemoryStore(clock=clock)
    options: Any = {"secret": SECRET, "store": store, "clock": clock, "cookie": CookieOptions(max_age=max_age)}
    before = Sessions(**options).engine
    session = before.begin_sync(b"", RequestFacts)
    session["n"] = 1
    if user:
        log_in(session)
    jar = before.commit_sync(session)[0].split(";")[0].encode()
    after = Sessions(lifetime=Lifetime(idle=1800), **options).engine
    clock.advance(1700)
    session = after.begin_sync(jar, RequestFacts)
    assert session["n"] == 1
    clock.advance(200)
    assert "n" not in after.begin_sync(jar, RequestFacts)
    clock.advance(-200)
    after.commit_sync(session)
    clock.advance(1700)
    assert after.begin_sync(jar, RequestFacts)["n"] == 1
