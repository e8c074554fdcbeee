"""Sessions that are bound to a device: a stolen cookie is worth nothing after a few minutes."""

from __future__ import annotations

import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from sessile import CookieOptions, DeviceBinding, DeviceRequired, InvalidOption, Sessions
from sessile._records.binding import binding_in
from sessile._records.record import decode
from sessile._session.watched import state_of
from sessile.events import Event
from sessile.lifetime import Lifetime
from sessile.stores.memory import MemoryStore
from sessile.testing import DeviceBrowser, FaultyStore, FrozenClock
from sessile.testing.device import Reply
from tests._engine.device.sites import SITES, browser_of
from tests.conftest import SECRET

REGISTER, REFRESH = "/device-binding/register", "/device-binding/refresh"
#: A proof is good for 600 seconds, and requests on their way for 10.
LATER = 20.0
TTL = 600.0


@pytest.fixture
def clock() -> FrozenClock:
    return FrozenClock()


def made(clock: FrozenClock, **options: Any) -> Sessions:
    given: dict[str, Any] = {"secret": SECRET, "clock": clock, "store": MemoryStore(clock=clock)}
    return Sessions(**{**given, "device": DeviceBinding(), **options})


@pytest.fixture
def sessions(clock: FrozenClock) -> Sessions:
    return made(clock)


@pytest.fixture(params=list(SITES))
def browser(sessions: Sessions, request: pytest.FixtureRequest) -> DeviceBrowser:
    return browser_of(sessions, request.param)


def visit(browser: DeviceBrowser, path: str = "/", *headers: tuple[str, str]) -> str:
    reply = browser.request("GET", path, headers)
    assert reply.status == 200
    return reply.text


def thief(browser: DeviceBrowser, path: str = "/", *, without: str = "", method: str = "GET", **more: str) -> Reply:
    """Send what a thief would who has copied the cookies, but for the one that is called ``without``."""
    kept = [each for each in browser.cookies().split("; ") if not without or not each.startswith(without)]
    lines = [("Host", "localhost"), ("Cookie", "; ".join(kept)), *((k.replace("_", "-"), v) for k, v in more.items())]
    status, headers, body = browser.send(method, path, lines)
    return Reply(status, list(headers), body)


PROOF = "__Host-connect.sid-device"


# Registration, and what it is for --------------------------------------------------------------------------------------


def test_a_session_is_bound_at_log_in(browser: DeviceBrowser) -> None:
    """The log-in is answered with an offer, the browser registers, and from then on each request brings the proof."""
    visit(browser, "/login")
    assert browser.log == ["registered"]
    assert visit(browser) == "ada None True True"


def test_a_stranger_is_offered_nothing(browser: DeviceBrowser) -> None:
    """By default; a stranger's session is worth little."""
    assert visit(browser, "/write") == "None 1 False False"
    assert browser.log == []


def test_all_sessions_are_offered_a_binding_where_the_options_say_so(clock: FrozenClock) -> None:
    """Also those in which nobody is logged in; and the log-in drops that binding and offers another one."""
    browser = browser_of(made(clock, device=DeviceBinding(offer="all")))
    visit(browser, "/write")
    assert visit(browser) == "None 1 True True"
    (first,) = browser.bound
    visit(browser, "/login")
    assert browser.log == ["registered", "registered"]
    assert visit(browser) == "ada 1 True True"
    assert first in browser.bound


def test_a_browser_that_binds_nothing_goes_on(browser: DeviceBrowser, clock: FrozenClock) -> None:
    """It ignores the offer, and has a plain session."""
    browser._register = lambda text: None  # type: ignore[method-assign]
    visit(browser, "/login")
    clock.advance(2 * TTL)
    assert visit(browser) == "ada None False False"


def test_a_stolen_id_alone_is_worth_nothing(browser: DeviceBrowser, clock: FrozenClock) -> None:
    """Without the proof the session is not loaded, and not ended either: the visitor goes on (D2)."""
    visit(browser, "/login")
    clock.advance(LATER)
    assert thief(browser, without=PROOF).text == "None None False False"
    assert thief(browser, "/logout", without=PROOF).status == 200
    assert visit(browser) == "ada None True True"


def test_a_copied_cookie_stops_working_by_our_clock(browser: DeviceBrowser, clock: FrozenClock) -> None:
    """Whatever the thief's browser makes of Max-Age (D2, D4)."""
    visit(browser, "/login")
    stolen = browser.cookies()
    clock.advance(TTL - 1)
    assert browser.send("GET", "/", [("Host", "localhost"), ("Cookie", stolen)])[2] == b"ada None True True"
    clock.advance(1)
    assert browser.send("GET", "/", [("Host", "localhost"), ("Cookie", stolen)])[2] == b"None None False False"
    assert visit(browser) == "ada None True True"


def test_the_proof_is_renewed_in_one_round_trip(browser: DeviceBrowser, clock: FrozenClock) -> None:
    """Each answer has the next challenge with it, and what the browser was told is what it gets (D10)."""
    visit(browser, "/login")
    for _ in range(3):
        clock.advance(TTL + 1)
        assert visit(browser) == "ada None True True"
    assert browser.log == ["registered", "refreshed", "refreshed", "refreshed"]


def test_a_browser_that_was_away_is_asked_once(browser: DeviceBrowser, clock: FrozenClock) -> None:
    """Its challenge is old: it gets another one."""
    visit(browser, "/login")
    clock.advance(3 * TTL)
    assert visit(browser) == "ada None True True"
    assert browser.log == ["registered", "challenged", "refreshed"]


def test_requests_on_their_way_pass_for_a_moment(browser: DeviceBrowser, clock: FrozenClock) -> None:
    """They left before the browser had the proof; ten seconds later nothing passes."""
    visit(browser, "/login")
    assert thief(browser, without=PROOF).text == "ada None True False"
    clock.advance(10)
    assert thief(browser, without=PROOF).text == "None None False False"


def test_report_lets_the_session_through_and_says_so(clock: FrozenClock) -> None:
    """For a site that wants to see first what would happen."""
    events: list[Event] = []
    browser = browser_of(made(clock, device=DeviceBinding(enforce="report"), on_event=events.append))
    visit(browser, "/login")
    clock.advance(LATER)
    assert thief(browser, without=PROOF).text == "ada None True False"
    assert [event.name for event in events if event.name.startswith("device")] == ["device_bound", "device_unproved"]


def test_a_handler_can_ask_for_the_device(sessions: Sessions) -> None:
    """Before something delicate, and where the options only report."""
    with pytest.raises(DeviceRequired):
        sessions.engine.blank().device.require()


# What does not bind ----------------------------------------------------------------------------------------------------


def test_a_session_is_bound_once(browser: DeviceBrowser) -> None:
    """A second key is refused: a thief cannot register their own (D1)."""
    visit(browser, "/login")
    offers = browser.request("GET", "/login").all("Secure-Session-Registration")
    other = DeviceBrowser(browser.send, browser.clock, jar=browser.jar)
    other._register(offers[0])
    assert other.log == []
    assert visit(browser) == "ada None True True"


def test_of_two_devices_that_register_at_once_one_is_bound(sessions: Sessions) -> None:
    """The store decides, in one atomic step, while the other one is under way (D1)."""
    browser, other = browser_of(sessions, "wsgi"), browser_of(sessions, "wsgi")
    store, replace = sessions.store, sessions.store.replace
    browser._register = lambda text: None  # type: ignore[method-assign]
    (offer,) = browser.request("GET", "/login").all("Secure-Session-Registration")
    other.jar = dict(browser.jar)
    raced = DeviceBrowser(browser.send, browser.clock, jar=dict(browser.jar))

    def first_the_other(*arguments: Any) -> Any:
        store.replace = replace  # type: ignore[method-assign]
        other._register(offer)
        return replace(*arguments)

    store.replace = first_the_other  # type: ignore[method-assign]
    raced._register(offer)
    assert (other.log, raced.log) == (["registered"], [])
    assert visit(other) == "ada None True True"


@pytest.mark.parametrize("mode", ["cors", "same-origin", "navigate"])
def test_a_script_cannot_register_a_key(browser: DeviceBrowser, mode: str) -> None:
    """Scripts may set the header with the proof, but not in the mode in which the browser sends it (D12)."""
    send = browser.send

    def as_script(method: str, path: str, headers: list[tuple[str, str]]) -> Any:
        lines = [(name, mode if name == "Sec-Fetch-Mode" else value) for name, value in headers]
        return send(method, path, lines)

    browser.send = as_script
    visit(browser, "/login")
    assert browser.log == []


def test_a_page_of_another_origin_cannot_register_a_key(browser: DeviceBrowser) -> None:
    send = browser.send

    def from_elsewhere(method: str, path: str, headers: list[tuple[str, str]]) -> Any:
        lines = [(name, "cross-site" if name == "Sec-Fetch-Site" else value) for name, value in headers]
        return send(method, path, lines)

    browser.send = from_elsewhere
    visit(browser, "/login")
    assert browser.log == []


def test_nothing_is_offered_over_http(sessions: Sessions) -> None:
    """Browsers bind sessions over https only (D13)."""
    for make in SITES.values():
        browser = DeviceBrowser(make(sessions, "http"), sessions.options.clock)
        assert browser.request("GET", "/login").all("Secure-Session-Registration") == []
        assert browser._post(REGISTER).status == 403


def test_garbage_is_refused(browser: DeviceBrowser) -> None:
    """With 4xx and no body, and the session goes on (D8: the proofs themselves have tests of their own)."""
    visit(browser, "/login")
    for value in ("", "a.b.c", "x" * 9000, '"', "\xff"):
        reply = thief(browser, REGISTER, method="POST", secure_session_response=value)
        assert (reply.status, reply.body) == (403, b"")
    assert thief(browser, REGISTER).status == 405
    assert visit(browser) == "ada None True True"


# Renewal ---------------------------------------------------------------------------------------------------------------


def test_a_proof_is_good_once(browser: DeviceBrowser, clock: FrozenClock) -> None:
    """A replayed one is answered with another challenge, and no cookie (D3, D15)."""
    sent: list[list[tuple[str, str]]] = []
    send = browser.send

    def recording(method: str, path: str, headers: list[tuple[str, str]]) -> Any:
        if path == REFRESH:
            sent.append(headers)
        return send(method, path, headers)

    browser.send = recording
    visit(browser, "/login")
    clock.advance(TTL + 1)
    visit(browser)
    status, headers, _ = send("POST", REFRESH, sent[0])
    reply = Reply(status, list(headers), b"")
    assert (reply.status, reply.all("Set-Cookie")) == (403, [])
    (challenge,) = reply.all("Secure-Session-Challenge")
    (identifier,) = browser.bound
    assert challenge.endswith(f'";id="{identifier}"')


def test_a_stranger_gets_no_proof(browser: DeviceBrowser, clock: FrozenClock) -> None:
    """With the cookies, and a key of their own (D2)."""
    visit(browser, "/login")
    clock.advance(TTL + 1)
    (bound,) = browser.bound.values()
    bound.key = ec.generate_private_key(ec.SECP256R1())
    assert visit(browser) == "None None False False"
    assert browser.log[-1] == "ended"


@pytest.mark.parametrize("quoted", [False, True])
def test_headers_are_read_bare_and_quoted(browser: DeviceBrowser, clock: FrozenClock, quoted: bool) -> None:
    """The specification has strings, and Chromium sends them bare (D9)."""
    send = browser.send

    def written(method: str, path: str, headers: list[tuple[str, str]]) -> Any:
        names = ("Secure-Session-Response", "Sec-Secure-Session-Id")
        lines = [(name, f'"{value}"' if quoted and name in names else value) for name, value in headers]
        return send(method, path, lines)

    browser.send = written
    visit(browser, "/login")
    clock.advance(TTL + 1)
    assert visit(browser) == "ada None True True"


def test_a_renewal_serves_the_session_of_the_cookie(browser: DeviceBrowser, clock: FrozenClock) -> None:
    """Ada is bound, Bob logs in on top: the browser's old session is dropped, and Bob stays Bob (D5)."""
    visit(browser, "/login")
    (old,) = browser.bound
    visit(browser, "/login-as-bob")
    clock.advance(TTL + 1)
    # Chromium takes them in the order of their identifiers, which is chance; here the old one is first.
    browser._refresh(browser.bound[old])
    assert PROOF not in browser.cookies()
    assert old not in browser.bound
    assert visit(browser) == "bob None True True"


@pytest.mark.parametrize("path", ["/logout", "/regenerate"])
def test_an_end_ends_the_binding(browser: DeviceBrowser, clock: FrozenClock, path: str) -> None:
    """The next renewal of the old one is answered with 404; a new id is offered another binding (D7)."""
    visit(browser, "/login")
    (identifier,) = browser.bound
    visit(browser, path)
    if path == "/logout":
        assert PROOF not in browser.cookies()
    reply = browser._post(REFRESH, ("Sec-Secure-Session-Id", identifier))
    assert reply.status == 404
    clock.advance(TTL + 1)
    if identifier in browser.bound:  # After a log-out the cookie is gone, and so the browser has asked already.
        browser._refresh(browser.bound[identifier])
    assert browser.log[-1] == "ended"
    assert visit(browser) == ("None None False False" if path == "/logout" else "ada None True True")


def test_a_renewed_id_keeps_the_binding(clock: FrozenClock) -> None:
    """Nobody asked for it, so nobody is locked out by it."""
    sessions = made(clock, lifetime=Lifetime(renew_every=100))
    browser = browser_of(sessions)
    visit(browser, "/login")
    before = browser.jar["connect.sid"].value
    clock.advance(101)
    assert visit(browser) == "ada None True True"
    assert browser.jar["connect.sid"].value != before
    clock.advance(TTL)
    assert visit(browser) == "ada None True True"
    assert browser.log == ["registered", "refreshed"]


def test_limits_of_life_hold(clock: FrozenClock) -> None:
    """A bound session ends when any would (D14)."""
    browser = browser_of(made(clock, lifetime=Lifetime(absolute=1000)))
    visit(browser, "/login")
    for _ in range(3):
        clock.advance(300)
        assert visit(browser) == "ada None True True"
    clock.advance(101)
    assert visit(browser) == "None None False False"


def test_an_outage_ends_no_binding(clock: FrozenClock) -> None:
    """It is a 503, and never a 429 or 404, after which the browser would drop its key (D11)."""
    store = FaultyStore(MemoryStore(clock=clock))
    browser = browser_of(made(clock, store=store, on_store_error="anonymous"))
    visit(browser, "/login")
    clock.advance(TTL + 1)
    (identifier,) = browser.bound
    store.fail()
    assert browser._post(REFRESH, ("Sec-Secure-Session-Id", identifier)).status == 503
    visit(browser)
    assert browser.log[-1] == "skipped"
    store.mend()
    assert visit(browser) == "ada None True True"


def test_what_stands_in_for_a_session_is_not_stored_while_the_browser_waits(
    browser: DeviceBrowser, clock: FrozenClock
) -> None:
    """The browser could not renew its proof: its cookie is not replaced, and it goes on with it afterwards."""
    visit(browser, "/login")
    clock.advance(TTL + 1)
    reply = thief(browser, "/write", secure_session_skipped="unreachable")
    assert reply.text == "None 1 False False"
    assert reply.all("Set-Cookie") == []
    assert visit(browser) == "ada None True True"


# Whoever writes meanwhile ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("conflict", ["merge", "overwrite"])
def test_a_page_that_saves_meanwhile_keeps_the_binding(clock: FrozenClock, conflict: str) -> None:
    """It was loaded before the registration, and is stored after it (D6)."""
    sessions = made(clock, conflict=conflict)
    browser = browser_of(sessions)
    register, browser._register = browser._register, lambda text: None  # type: ignore[method-assign]
    (offer,) = browser.request("GET", "/login").all("Secure-Session-Registration")
    sid = sessions.sid_of(_unquoted(browser.jar["connect.sid"].value))
    page = sessions.open(sid or "")
    assert page is not None
    page["n"] = 5
    register(offer)
    assert page.save()
    assert visit(browser) == "ada 5 True True"


def _unquoted(value: str) -> str:
    from urllib.parse import unquote

    return unquote(value)


def test_a_new_id_meanwhile_drops_the_binding(sessions: Sessions) -> None:
    """A handler that calls ``regenerate()`` while the device registers gets a session with a new offer (D7)."""
    browser = browser_of(sessions)
    register, browser._register = browser._register, lambda text: None  # type: ignore[method-assign]
    (offer,) = browser.request("GET", "/login").all("Secure-Session-Registration")
    page = sessions.open(sessions.sid_of(_unquoted(browser.jar["connect.sid"].value)) or "")
    assert page is not None
    page.regenerate(keep=True)
    register(offer)
    assert page.save()
    binding = binding_in(state_of(page).system)
    assert binding is not None
    assert not binding.key


def test_a_visitor_cannot_write_the_binding(sessions: Sessions) -> None:
    """It stands in the system fields, which carry a MAC; no handler can reach them."""
    browser = browser_of(sessions)
    visit(browser, "/login")
    sid = sessions.sid_of(_unquoted(browser.jar["connect.sid"].value)) or ""
    record = sessions.store.load(sid)
    contents = decode(record.payload)  # type: ignore[union-attr]
    assert contents is not None
    contents.system["device"][1] = ""
    whole = {"cookie": contents.cookie, "sessile": contents.system, **contents.data}
    sessions.store.replace(sid, json.dumps(whole).encode(), 1000, record.payload)  # type: ignore[union-attr]
    assert visit(browser) == "None None False False"


# What cannot work is refused -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"store": "cookie://"}, "no record"),
        ({"transport": "header"}, "transport"),
        ({"cookie": CookieOptions(secure=False)}, "https"),
        ({"cookie": CookieOptions(secure=True, partitioned=True)}, "partitioned"),
        ({"cookie": lambda facts: CookieOptions()}, "follow from the request"),
        ({"cookie": CookieOptions(path="/shop")}, "outside"),
        ({"device": DeviceBinding(cookie_name="__Host-Http-a")}, "Chromium"),
        ({"device": True}, "DeviceBinding"),
    ],
)
def test_what_browsers_cannot_bind_is_refused(clock: FrozenClock, options: dict[str, Any], reason: str) -> None:
    """At construction, with the reason (D13)."""
    with pytest.raises(InvalidOption, match=reason):
        made(clock, **options)


@pytest.mark.parametrize(
    "wrong",
    [
        {"enforce": "no"},
        {"offer": "no"},
        {"proof_ttl": 0},
        {"proof_ttl": "a"},
        {"grace": -1},
        {"path": "device"},
        {"exclude": "/static"},
        {"exclude": ["static"]},
    ],
)
def test_a_wrong_value_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidOption, match="device"):
        DeviceBinding(**wrong)


def test_integrations_that_do_not_answer_the_browser_say_so(sessions: Sessions) -> None:
    """Rather than offer what fails."""
    import flask

    from sessile.flask import init_app

    with pytest.raises(InvalidOption, match="does not answer"):
        init_app(flask.Flask("site"), sessions)


def test_paths_of_static_files_do_not_wait(clock: FrozenClock) -> None:
    """The browser sends those without renewing its proof."""
    browser = browser_of(made(clock, device=DeviceBinding(exclude=["/static"])))
    visit(browser, "/login")
    clock.advance(TTL + 1)
    assert visit(browser, "/static/logo.png") == "None None False False"
    assert browser.log == ["registered"]
