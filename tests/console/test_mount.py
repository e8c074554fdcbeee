"""The console in a site: who may enter, and by which way"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from fastapi import FastAPI
from flask import Flask
from starlette.testclient import TestClient
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.test import Client

from sessile import InvalidOption, RequestFacts, Session, Sessions
from sessile.console import asgi, wsgi
from sessile.events import Event
from tests.conftest import SECRET

#: Sends a request to a site: method, path, form, headers, by HTTPS or not. Returns status and body.
Ask = Callable[..., tuple[int, str]]

OURS = {"Origin": "https://shop.test"}


def administrator(session: Session, request: RequestFacts) -> str | None:
    return "zoe" if session.user_id == "zoe" else None


def by_asgi(sessions: Sessions, **options: Any) -> Ask:
    site = FastAPI()
    site.mount("/console", asgi.console(sessions, **options))
    clients = {scheme: TestClient(site, base_url=f"{scheme}://shop.test") for scheme in ("http", "https")}

    def ask(
        path: str, cookie: str = "", form: Any = None, headers: Any = None, scheme: str = "https"
    ) -> tuple[int, str]:
        sent = {"Cookie": cookie, **(headers or {})}
        method = "GET" if form is None else "POST"
        answer = clients[scheme].request(method, path, data=form, headers=sent, follow_redirects=False)
        return answer.status_code, answer.text

    return ask


def by_wsgi(sessions: Sessions, **options: Any) -> Ask:
    site = Flask(__name__)
    site.wsgi_app = DispatcherMiddleware(site.wsgi_app, {"/console": wsgi.console(sessions, **options)})  # type: ignore[method-assign]
    client = Client(site, use_cookies=False)

    def ask(
        path: str, cookie: str = "", form: Any = None, headers: Any = None, scheme: str = "https"
    ) -> tuple[int, str]:
        sent = {"Cookie": cookie, **(headers or {})}
        method = "GET" if form is None else "POST"
        answer = client.open(path, method=method, data=form, headers=sent, base_url=f"{scheme}://shop.test")
        return answer.status_code, answer.text

    return ask


class Place:
    """Sessions, and the site that they are of."""

    def __init__(self, mount: Callable[..., Ask]) -> None:
        self.mount = mount
        self.events: list[Event] = []
        self.sessions = Sessions(secret=SECRET, on_event=self.events.append)
        self.zoe, self.max = self.log_in("zoe"), self.log_in("max")

    def log_in(self, user: str) -> str:
        session = self.sessions.engine.begin_sync(b"", RequestFacts)
        session.login(user)
        return self.sessions.engine.commit_sync(session)[0].partition(";")[0]

    def lives(self, cookie: str) -> bool:
        return not self.sessions.engine.begin_sync(cookie.encode(), RequestFacts).is_new

    def handle(self) -> str:
        return self.sessions.of_user("max")[0].handle


@pytest.fixture(params=[by_asgi, by_wsgi])
def place(request: pytest.FixtureRequest) -> Iterator[Place]:
    place = Place(request.param)
    yield place
    place.sessions.close()


@pytest.mark.parametrize("rule", [None, "zoe", True])
def test_no_console_without_a_rule(place: Place, rule: object) -> None:
    """There is no default, and what is not a function is not a rule."""
    with pytest.raises(InvalidOption, match="rule for who may enter"):
        place.mount(place.sessions, who=rule)


def test_the_operator_ends_a_session(place: Place) -> None:
    """Below a prefix, with links that lead there, and an event with their name."""
    ask = place.mount(place.sessions, who=administrator)
    status, body = ask("/console/", place.zoe)
    assert status == 200
    assert f'href="./session?handle={place.handle()}"' in body
    assert 'href="/' not in body
    status, body = ask("/console/end", place.zoe, {"handle": place.handle()}, OURS)
    assert (status, "1 session ended" in body) == (200, True)
    assert not place.lives(place.max)
    assert place.lives(place.zoe)
    assert "zoe ended it" in [event.detail for event in place.events if event.name == "operated"]


@pytest.mark.parametrize(
    "path", ["now", "user?user=max", "health", "session?handle=HANDLE", "console.css", "console.js"]
)
def test_every_page_answers(place: Place, path: str) -> None:
    """Whatever it asks of the store."""
    ask = place.mount(place.sessions, who=administrator)
    assert ask(f"/console/{path.replace('HANDLE', place.handle())}", place.zoe)[0] == 200


def test_others_see_nothing_and_end_nothing(place: Place) -> None:
    """Those whom the rule does not name, logged in or not."""
    ask = place.mount(place.sessions, who=administrator)
    for cookie in ("", place.max):
        for path in ("", "now", "user?user=zoe", "health"):
            status, body = ask(f"/console/{path}", cookie)
            assert status == 403
            assert "zoe" not in body
        assert ask("/console/end", cookie, {"user": "zoe"}, OURS)[0] == 403
        assert ask("/console/console.css", cookie)[0] == 200  # For the page that refuses them.
    assert place.lives(place.zoe)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Origin": "https://evil.test"},
        {"Origin": "null"},
        {"Origin": "https://shop.test", "Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "cross-site"},
    ],
)
def test_a_form_of_another_site_is_refused(place: Place, headers: dict[str, str]) -> None:
    """It changes nothing, and is an event."""
    ask = place.mount(place.sessions, who=administrator)
    assert ask("/console/end", place.zoe, {"user": "max"}, headers)[0] == 403
    assert place.events[-1].name == "cross_origin"
    assert place.lives(place.max)


@pytest.mark.parametrize("headers", [{}, {"Host": "127.0.0.1"}, {"X-Forwarded-Proto": "https"}])
def test_plain_http_is_refused(place: Place, headers: dict[str, str]) -> None:
    """From another machine, whatever it says of itself."""
    asked: list[object] = []

    def who(session: Session, request: RequestFacts) -> str | None:
        asked.append(session)
        return "zoe"

    ask = place.mount(place.sessions, who=who)
    assert ask("/console/", place.zoe, None, headers, scheme="http")[0] == 403
    assert not asked


def test_read_only_ends_nothing(place: Place) -> None:
    """For everybody."""
    ask = place.mount(place.sessions, who=administrator, read_only=True)
    assert "End the selected" not in ask("/console/", place.zoe)[1]
    assert ask("/console/end", place.zoe, {"user": "max"}, OURS)[0] == 403
    assert place.lives(place.max)


def test_a_large_form_is_refused(place: Place) -> None:
    """It changes nothing."""
    ask = place.mount(place.sessions, who=administrator)
    assert ask("/console/end", place.zoe, {"user": "max", "more": "x" * 70_000}, OURS)[0] == 413
    assert place.lives(place.max)


def test_a_rule_that_names_nobody_is_a_mistake(place: Place) -> None:
    """True says that somebody may enter, and events have to say who."""
    ask = place.mount(place.sessions, who=lambda session, request: True)
    with pytest.raises(InvalidOption, match="operator's name"):
        ask("/console/", place.zoe)


async def test_an_async_rule(place: Place) -> None:
    """A site may have to ask its database who an administrator is."""

    async def who(session: Session, request: RequestFacts) -> str | None:
        return administrator(session, request)

    ask = by_asgi(place.sessions, who=who)
    assert ask("/console/", place.zoe)[0] == 200
    assert ask("/console/", place.max)[0] == 403
