# docs/departures.md makes promises. Each test here is one of its rows, against the real middleware and a real store.
"""Prove the rows of docs/departures.md."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from sessile import CookieOptions, InvalidOption, RequestFacts, Sessions, StoreUnavailable
from sessile.asgi import SessionMiddleware
from sessile.stores.memory import MemoryStore

SECRET = "a secret that is long enough for tests!"
NOW = 1_700_000_000.0

Handler = Callable[[Request], Any]


class Clock:
    """A clock that stands still until it is told to move."""

    def __init__(self) -> None:
        self.time = NOW

    def __call__(self) -> float:
        return self.time


class Recorder(MemoryStore):
    """A memory store that remembers which verbs were asked of it, and can be out of order."""

    def __init__(self, clock: Callable[[], float]) -> None:
        super().__init__(clock=clock)
        self.asked: list[str] = []
        self.down: set[str] = set()

    def _note(self, verb: str) -> None:
        self.asked.append(verb)
        if verb in self.down:
            raise StoreUnavailable("out of order")

    def load(self, sid: str) -> Any:
        self._note("load")
        return super().load(sid)

    def create(self, sid: str, payload: bytes, ttl: float) -> Any:
        self._note("create")
        return super().create(sid, payload, ttl)

    def replace(self, sid: str, payload: bytes, ttl: float, expected: bytes) -> Any:
        self._note("replace")
        return super().replace(sid, payload, ttl, expected)

    def touch(self, sid: str, ttl: float) -> Any:
        self._note("touch")
        return super().touch(sid, ttl)

    def delete(self, sid: str) -> Any:
        self._note("delete")
        return super().delete(sid)


class Site:
    """One application with the handlers given, one store, and a browser."""

    def __init__(self, *, handlers: dict[str, Handler], **options: Any) -> None:
        self.clock = Clock()
        self.store = Recorder(self.clock)
        self.events: list[str] = []
        self.sessions = Sessions(
            secret=SECRET,
            store=self.store,
            clock=self.clock,
            on_event=lambda event: self.events.append(event.name),
            **options,
        )
        app = Starlette(routes=[Route(path, handler) for path, handler in handlers.items()])
        app.add_middleware(SessionMiddleware, sessions=self.sessions)
        self.browser = TestClient(app, follow_redirects=False)

    def get(self, path: str, **headers: str) -> Any:
        self.store.asked.clear()
        return self.browser.get(path, headers=headers)

    def records(self) -> list[Any]:
        return [json.loads(record.payload) for _, record in self.store.all()]


async def put(request: Request) -> Response:
    request.session["n"] = request.session.get("n", 0) + 1
    return PlainTextResponse(str(request.session["n"]))


async def look(request: Request) -> Response:
    return PlainTextResponse(str(request.session.get("n")))


async def leave(request: Request) -> Response:
    request.session.destroy()
    return PlainTextResponse("bye")


def test_max_age_stands_beside_expires() -> None:
    """A cookie with an end has both attributes, so a wrong clock in the browser does not matter."""
    site = Site(handlers={"/": put}, cookie=CookieOptions(max_age=60))
    assert (
        "; Max-Age=60; Path=/; Expires=Tue, 14 Nov 2023 22:14:20 GMT; HttpOnly" in site.get("/").headers["set-cookie"]
    )


def test_max_age_is_capped_at_400_days() -> None:
    """A promise that no browser keeps is not made."""
    site = Site(handlers={"/": put}, cookie=CookieOptions(max_age=timedelta(days=500)))
    assert "; Max-Age=34560000;" in site.get("/").headers["set-cookie"]


def test_destroy_expires_the_cookie() -> None:
    """A destroyed session leaves neither a record nor a cookie."""
    site = Site(handlers={"/": put, "/leave": leave})
    site.get("/")
    answer = site.get("/leave")
    assert "connect.sid=; Max-Age=0; Path=/; Expires=Thu, 01 Jan 1970 00:00:00 GMT" in answer.headers["set-cookie"]
    assert not site.records()
    assert not site.browser.cookies


def test_a_change_of_the_cookie_alone_is_saved_and_sent() -> None:
    """The cookie is part of the session: to change it is to change the session."""

    async def remember(request: Request) -> Response:
        request.session.cookie.max_age = 3600
        return PlainTextResponse("ok")

    site = Site(handlers={"/": put, "/remember": remember})
    site.get("/")
    assert "Max-Age=3600" in site.get("/remember").headers["set-cookie"]
    assert site.records()[0]["cookie"]["originalMaxAge"] == 3_600_000


def test_the_record_is_written_before_the_head_leaves() -> None:
    """Whoever follows a redirect finds the session saved."""
    written: list[int] = []

    async def redirect(request: Request) -> Response:
        request.session["n"] = 1
        return RedirectResponse("/")

    site = Site(handlers={"/": redirect})
    inner = site.browser.app

    async def watch(scope: Any, receive: Any, send: Any) -> None:
        async def noting(message: Any) -> None:
            if message["type"] == "http.response.start":
                written.append(len(site.records()))
            await send(message)

        await inner(scope, receive, noting)

    with TestClient(watch, follow_redirects=False) as browser:
        assert browser.get("/").status_code == 307
    assert written == [1]


def test_a_failed_renewal_is_served_without_a_cookie() -> None:
    """The page is there; only the new end of its cookie is not promised."""
    site = Site(handlers={"/": put, "/look": look}, rolling=True)
    site.get("/")
    site.store.down = {"touch"}
    answer = site.get("/look")
    assert answer.status_code == 200
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize("verb", ["create", "replace", "delete"])
def test_a_failed_write_answers_503_without_a_cookie(verb: str) -> None:
    """What the store did not confirm is not promised to the browser."""
    site = Site(handlers={"/": put, "/leave": leave}, rolling=True)
    path = {"create": "/", "replace": "/", "delete": "/leave"}[verb]
    if verb != "create":
        site.get("/")
    site.store.down = {verb}
    answer = site.get(path)
    assert answer.status_code == 503
    assert "set-cookie" not in answer.headers


def test_a_failed_read_never_destroys() -> None:
    """With unset="destroy" as without, a store that cannot be read is left as it is."""
    site = Site(handlers={"/": put}, unset="destroy")
    site.get("/")
    site.store.down = {"load"}
    answer = site.get("/")
    assert answer.status_code == 503
    assert "set-cookie" not in answer.headers
    assert site.store.asked == ["load"]
    site.store.down.clear()
    assert site.get("/").text == "2"


def test_the_whole_life_does_not_drift() -> None:
    """originalMaxAge is the same after any number of renewals."""
    site = Site(handlers={"/": put}, cookie=CookieOptions(max_age=60.0))
    for _ in range(20):
        site.get("/")
        site.clock.time += 1.2345
    assert site.records()[0]["cookie"]["originalMaxAge"] == 60_000


def test_a_second_cookie_of_the_name_is_tried() -> None:
    """A stale cookie in front of the live one does not log the visitor out."""
    site = Site(handlers={"/": put})
    site.get("/")
    live = site.browser.cookies["connect.sid"]
    site.browser.cookies.clear()
    stale = "s%3Astale.AAAA"
    assert site.get("/", cookie=f"connect.sid={stale}; connect.sid={live}").text == "2"


def test_two_live_cookies_are_both_refused() -> None:
    """The order of cookies can be chosen by a hostile neighbour, so it decides nothing."""
    site = Site(handlers={"/": put})
    cookies = []
    for _ in range(2):
        site.browser.cookies.clear()
        site.get("/")
        cookies.append(site.browser.cookies["connect.sid"])
    site.browser.cookies.clear()
    answer = site.get("/", cookie="; ".join(f"connect.sid={cookie}" for cookie in cookies))
    assert answer.text == "1"
    assert "ambiguous_cookies" in site.events


def test_a_secure_cookie_over_http_stores_nothing() -> None:
    """A record that no browser can name is not made."""
    site = Site(handlers={"/": put}, cookie=CookieOptions(secure=True))
    assert "set-cookie" not in site.get("/").headers
    assert not site.records()
    assert "insecure_transport" in site.events


def test_the_path_is_matched_as_browsers_match_it() -> None:
    """The cookie of /app is not for /application."""

    async def which(request: Request) -> Response:
        return PlainTextResponse(str("session" in request.scope))

    paths = ["/app", "/app/", "/app/x", "/application"]
    site = Site(handlers=dict.fromkeys(paths, which), cookie=CookieOptions(path="/app"))
    assert [site.get(path).text for path in paths] == ["True", "True", "True", "False"]


def test_changes_to_different_keys_are_both_kept() -> None:
    """A request that another one overtook keeps the other's changes beside its own."""

    async def slow(request: Request) -> Response:
        request.session["slow"] = 1
        other = await site.sessions.aopen(request.session.id)
        other["quick"] = 1
        await other.asave()
        return PlainTextResponse("ok")

    site = Site(handlers={"/": put, "/slow": slow})
    site.get("/")
    site.get("/slow")
    (record,) = site.records()
    assert (record["n"], record["slow"], record["quick"]) == (1, 1, 1)


@pytest.mark.parametrize("then", ["write", "look"])
def test_a_slow_request_does_not_undo_a_logout(then: str) -> None:
    """Neither a write nor a touch brings a session back that was ended meanwhile, and no cookie is sent."""

    async def slow(request: Request) -> Response:
        if then == "write":
            request.session["slow"] = 1
        await site.sessions.arevoke(request.session.id)
        return PlainTextResponse("ok")

    site = Site(handlers={"/": put, "/slow": slow}, rolling=True)
    site.get("/")
    assert "set-cookie" not in site.get("/slow").headers
    assert not site.records()


def test_an_untouched_new_session_costs_nothing() -> None:
    """The defaults store nothing and send nothing for a visitor who only looks."""
    site = Site(handlers={"/": look})
    assert "set-cookie" not in site.get("/").headers
    assert site.store.asked == []


def test_an_unchanged_session_is_touched_only() -> None:
    """The default of resave writes no data that nobody changed."""
    site = Site(handlers={"/": put, "/look": look})
    site.get("/")
    site.get("/look")
    assert site.store.asked == ["load", "touch"]


def test_a_new_session_is_lax_and_secure_as_its_request() -> None:
    """The cookie's defaults: SameSite=Lax, and Secure where the request came by https."""
    site = Site(handlers={"/": put})
    assert site.get("/").headers["set-cookie"].endswith("; Path=/; HttpOnly; SameSite=Lax")
    site.browser.cookies.clear()
    site.browser.base_url = "https://testserver"
    assert site.get("/").headers["set-cookie"].endswith("; Path=/; HttpOnly; Secure; SameSite=Lax")


def test_auto_works_in_a_cookie_function() -> None:
    """What a function returns is resolved as what is given directly."""
    site = Site(handlers={"/": put}, cookie=lambda facts: CookieOptions(secure="auto", same_site="auto"))
    assert site.get("/").headers["set-cookie"].endswith("; HttpOnly; SameSite=Lax")


def streaming(key: str) -> Handler:
    async def handler(request: Request) -> Response:
        session = request.session

        async def body() -> Any:
            yield "one"
            session[key] = 1
            yield "two"

        return StreamingResponse(body())

    return handler


def test_a_late_change_of_a_known_session_is_stored() -> None:
    """What a stream changes after the head is written at its end."""
    site = Site(handlers={"/": put, "/stream": streaming("late")})
    site.get("/")
    site.get("/stream")
    assert site.records()[0]["late"] == 1


def test_a_late_new_session_is_not_stored() -> None:
    """A session whose cookie can no longer be sent is not stored, and an event says so."""
    site = Site(handlers={"/stream": streaming("late")})
    site.get("/stream")
    assert not site.records()
    assert "cookie_too_late" in site.events


@pytest.mark.parametrize(("keep", "left"), [((), []), (["n"], ["n"]), (True, ["m", "n"])])
def test_regenerate_can_keep_data(keep: Any, left: list[str]) -> None:
    """The new session holds the keys that were named, and the old id is dead."""

    async def again(request: Request) -> Response:
        request.session["m"] = 1
        request.session.regenerate(keep=keep)
        return PlainTextResponse("ok")

    site = Site(handlers={"/": put, "/again": again})
    site.get("/")
    (before,) = (sid for sid, _ in site.store.all())
    site.get("/again")
    (after,) = (sid for sid, _ in site.store.all())
    assert after != before
    assert sorted(key for key in site.records()[0] if key != "cookie") == left


def test_genid_may_be_async() -> None:
    """An id may be fetched from elsewhere."""

    async def genid(facts: Any) -> str:
        return "id-" + facts.method

    site = Site(handlers={"/": put}, genid=genid)
    site.get("/")
    assert [sid for sid, _ in site.store.all()] == ["id-GET"]


def test_an_explicit_save_is_the_only_one() -> None:
    """After save() the end of the request neither writes nor touches, if nothing changed since."""

    async def save(request: Request) -> Response:
        request.session["n"] = 7
        await request.session.asave()
        return PlainTextResponse("ok")

    site = Site(handlers={"/": put, "/save": save})
    site.get("/")
    site.get("/save")
    assert site.store.asked == ["load", "replace"]


def test_a_browser_session_ends_after_ttl_in_the_store() -> None:
    """No record lives for ever, in the memory store neither."""
    site = Site(handlers={"/": put})
    site.get("/")
    site.clock.time += 86_400
    assert site.get("/").text == "1"


@pytest.mark.parametrize("key", ["cookie", "sessile"])
def test_a_reserved_key_is_refused(key: str) -> None:
    """A key that the record could not give back is an error that names it, and nothing is written."""

    async def handler(request: Request) -> Response:
        request.session[key] = 1
        return PlainTextResponse("ok")

    site = Site(handlers={"/": handler})
    with pytest.raises(TypeError, match=f"'{key}'.*reserved"):
        site.get("/")
    assert not site.records()


@pytest.mark.parametrize("key", ["id", "req", "save", "touch", "constructor", "__proto__"])
def test_names_of_methods_are_ordinary_keys(key: str) -> None:
    """What express-session drops on loading comes back."""

    async def write(request: Request) -> Response:
        request.session[key] = 1
        return PlainTextResponse("ok")

    async def read(request: Request) -> Response:
        return PlainTextResponse(str(request.session.get(key)))

    site = Site(handlers={"/": write, "/read": read})
    site.get("/")
    assert site.get("/read").text == "1"


@pytest.mark.parametrize("payload", [b"", b"{", b"[]", b"null", b'{"cookie":"text"}', b"\xff\xfe"])
def test_a_corrupt_record_is_no_session(payload: bytes) -> None:
    """Bytes that are no session give a fresh one, not an error, and the record is left for whoever looks into it."""
    site = Site(handlers={"/": put, "/look": look})
    site.get("/")
    (sid,) = (sid for sid, _ in site.store.all())
    site.store.delete(sid)
    site.store.create(sid, payload, 60)
    assert site.get("/look").text == "None"
    assert "corrupt_record" in site.events


def test_an_exception_changes_nothing() -> None:
    """A handler that raises leaves the session as it was, whatever it had asked for."""

    async def fail(request: Request) -> Response:
        request.session.regenerate()
        raise ValueError("as an example")

    site = Site(handlers={"/": put, "/fail": fail})
    site.get("/")
    with pytest.raises(ValueError, match="example"):
        site.get("/fail")
    assert site.store.asked == ["load"]
    assert site.get("/").text == "2"


def test_a_handled_exception_is_a_response() -> None:
    """What a framework turns into a response commits like any other response."""
    from starlette.exceptions import HTTPException

    async def refuse(request: Request) -> Response:
        request.session["n"] = 5
        raise HTTPException(403)

    site = Site(handlers={"/": refuse, "/look": look})
    assert site.get("/").status_code == 403
    assert site.get("/look").text == "5"


def test_something_else_in_the_slot_is_left_alone() -> None:
    """A response is never left hanging because the session was replaced."""

    async def handler(request: Request) -> Response:
        request.scope["session"] = {"a": 1}
        return PlainTextResponse("ok")

    site = Site(handlers={"/": handler})
    assert site.get("/").text == "ok"


def test_a_value_that_json_cannot_hold_is_named() -> None:
    """The message says where the value is."""

    async def handler(request: Request) -> Response:
        request.session["cart"] = [{"at": object()}]
        return PlainTextResponse("ok")

    site = Site(handlers={"/": handler})
    with pytest.raises(TypeError, match=r"session\['cart'\]\[0\]\['at'\] is a object"):
        site.get("/")


def test_what_read_or_set_the_cookie_is_not_cached() -> None:
    """A response that depends on the session says so to caches."""
    site = Site(handlers={"/": put, "/look": look})
    answer = site.get("/")
    assert (answer.headers["vary"], answer.headers["cache-control"]) == ("Cookie", "no-store")
    answer = site.get("/look")
    assert answer.headers["vary"] == "Cookie"
    assert "cache-control" not in answer.headers


@pytest.mark.parametrize(
    "options",
    [
        {"name": "a b"},
        {"secret": ""},
        {"cookie": "text"},
        {"unset": "remove"},
        {"genid": 5},
        {"saveUninitialized": True},
    ],
)
def test_options_are_checked_at_construction(options: dict[str, Any]) -> None:
    """A wrong option stops the program, not a visitor."""
    with pytest.raises(InvalidOption):
        Sessions(**{"secret": SECRET, **options})


def test_two_managers_on_one_store_keep_their_own_options() -> None:
    """Nothing of one manager is kept on the store, where another would find it."""
    store = MemoryStore()
    first = Sessions(secret=SECRET, store=store, name="first", genid=lambda facts: "one")
    Sessions(secret=SECRET, store=store, name="second", genid=lambda facts: "two")
    session = first.engine.begin_sync(b"", RequestFacts)
    session["a"] = 1
    (cookie,) = first.engine.commit_sync(session)
    assert cookie.startswith("first=s%3Aone.")


def test_a_value_set_late_reaches_one_id_only() -> None:
    """What a slow request writes after regenerate() does not keep the old id alive."""

    async def slow(request: Request) -> Response:
        request.session["slow"] = 1
        other = await site.sessions.aopen(request.session.id)
        other.regenerate(keep=True)
        await other.asave()
        return PlainTextResponse("ok")

    site = Site(handlers={"/": put, "/slow": slow})
    site.get("/")
    (before,) = (sid for sid, _ in site.store.all())
    assert "set-cookie" not in site.get("/slow").headers
    (after,) = (sid for sid, _ in site.store.all())
    assert after != before
    assert "slow" not in site.records()[0]


def test_clear_is_a_log_out() -> None:
    """Data, user and id go; in Starlette the record and the cookie as well."""

    async def login(request: Request) -> Response:
        request.session.login("zoe")
        return PlainTextResponse("ok")

    async def clear(request: Request) -> Response:
        request.session.clear()
        return PlainTextResponse("ok")

    site = Site(handlers={"/login": login, "/clear": clear})
    site.get("/login")
    assert "Max-Age=0" in site.get("/clear").headers["set-cookie"]
    assert site.records() == []
