"""request.session in Pyramid: its ISession, its CSRF tokens, its views of exceptions."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from pyramid.authentication import SessionAuthenticationHelper
from pyramid.config import Configurator
from pyramid.csrf import LegacySessionCSRFStoragePolicy, SessionCSRFStoragePolicy, get_csrf_token, new_csrf_token
from pyramid.interfaces import ISession
from pyramid.request import Request
from pyramid.response import Response
from webtest import TestApp as Browser
from zope.interface.verify import verifyObject

import sessile.pyramid
from sessile import CookieOptions, InvalidOption, Sessions, StoreUnavailable
from sessile._wire.signing import Signer
from sessile.errors import MissingMiddleware, SessionEnded
from sessile.http import UNAVAILABLE, UNAVAILABLE_HEADERS
from sessile.stores.memory import MemoryStore
from tests.conftest import SECRET, Clock


class Down(MemoryStore):
    """A store that cannot be reached."""

    def load(self, sid: str) -> Any:
        raise ConnectionError


def site(sessions: Sessions, *views: Any, **settings: Any) -> Any:
    """Return an application: each view at a path of its name."""
    config = Configurator(settings={"sessile.sessions": sessions, **settings})
    config.include("sessile.pyramid")
    return finish(config, *views)


def finish(config: Configurator, *views: Any) -> Any:
    for view in views:
        config.add_route(view.__name__, "/" + view.__name__)
        config.add_view(view, route_name=view.__name__)
    return config.make_wsgi_app()


def count(request: Any) -> Response:
    request.session["n"] = request.session.get("n", 0) + 1
    return Response(str(request.session["n"]))


def everything(request: Any) -> Response:
    return Response(json=dict(request.session))


def test_the_typed_session_is_the_same(sessions: Sessions) -> None:
    """session() is request.session; without our factory it says what is missing."""

    def same(request: Any) -> Response:
        return Response(str(sessile.pyramid.session(request) is request.session))

    assert Browser(site(sessions, same)).get("/same").text == "True"
    for configure in (lambda config: None, lambda config: config.set_session_factory(lambda request: {})):
        config = Configurator()
        configure(config)
        with pytest.raises(MissingMiddleware, match="config.include"):
            Browser(finish(config, same)).get("/same")


def test_webtest_knows_a_visitor_again(sessions: Sessions) -> None:
    """WebTest, which Pyramid's own tutorials use, keeps the cookie."""
    browser = Browser(site(sessions, count))
    assert [browser.get("/count").text, browser.get("/count").text] == ["1", "2"]


def test_it_is_a_session_factory(sessions: Sessions) -> None:
    """config.set_session_factory alone is enough."""
    config = Configurator()
    config.set_session_factory(sessile.pyramid.session_factory(sessions))
    browser = Browser(finish(config, count))
    assert [browser.get("/count").text, browser.get("/count").text] == ["1", "2"]


def test_options_are_settings_of_an_ini_file() -> None:
    """sessile.secret and sessile.store make the manager; without either, the remedy is told."""
    config = Configurator(settings={"sessile.secret": SECRET, "sessile.store": "memory://", "sessile.lazy": "false"})
    config.include("sessile.pyramid")
    browser = Browser(finish(config, count))
    assert [browser.get("/count").text, browser.get("/count").text] == ["1", "2"]
    with pytest.raises(InvalidOption, match="sessions"):
        Configurator().include("sessile.pyramid")


def test_it_is_what_pyramid_calls_a_session(sessions: Sessions, clock: Clock) -> None:
    """The session has all of ISession."""
    seen: list[Any] = []

    def look(request: Any) -> Response:
        seen.append(verifyObject(ISession, request.session))
        seen.append((request.session.new, request.session.created))
        request.session.changed()
        return Response("ok")

    Browser(site(sessions, look)).get("/look")
    assert seen == [True, (True, int(clock()))]


def test_flashing(sessions: Sessions) -> None:
    """Messages wait in their queues, across requests, until they are taken; duplicates may be refused."""

    def flash(request: Any) -> Response:
        request.session.flash("Saved.")
        request.session.flash("Saved.", allow_duplicate=False)
        request.session.flash("Saved.")
        request.session.flash("Low on disk.", "warning")
        return Response("ok")

    def peek(request: Any) -> Response:
        return Response(json=[request.session.peek_flash(), request.session.peek_flash("none")])

    def pop(request: Any) -> Response:
        return Response(json=[request.session.pop_flash(), request.session.pop_flash("warning")])

    browser = Browser(site(sessions, flash, peek, pop))
    browser.get("/flash")
    assert browser.get("/peek").json == [["Saved.", "Saved."], []]
    assert browser.get("/pop").json == [["Saved.", "Saved."], ["Low on disk."]]
    assert browser.get("/pop").json == [[], []]


@pytest.mark.parametrize("policy", [LegacySessionCSRFStoragePolicy, SessionCSRFStoragePolicy])
def test_csrf_tokens(sessions: Sessions, policy: Any) -> None:
    """Both of Pyramid's policies keep their token in the session: a form with it is accepted, one without is not."""

    def form(request: Any) -> Response:
        return Response(get_csrf_token(request))

    def renew(request: Any) -> Response:
        return Response(new_csrf_token(request))

    config = Configurator(settings={"sessile.sessions": sessions})
    config.include("sessile.pyramid")
    config.set_csrf_storage_policy(policy())
    config.set_default_csrf_options(require_csrf=True)
    browser = Browser(finish(config, form, renew))
    token = browser.get("/form").text
    assert browser.get("/form").text == token
    assert browser.post("/form", {"csrf_token": token}).status_code == 200
    browser.post("/form", {}, status=400)
    newer = browser.get("/renew").text
    browser.post("/form", {"csrf_token": token}, status=400)
    assert browser.post("/form", {"csrf_token": newer}).status_code == 200


def test_invalidate_gives_an_empty_session_with_another_id(sessions: Sessions) -> None:
    """What was in it is gone, the old id is dead, and what is written afterwards is in the new one."""

    def fresh(request: Any) -> Response:
        request.session.invalidate()
        request.session["after"] = True
        return Response("ok")

    app = site(sessions, count, fresh, everything)
    browser = Browser(app)
    browser.get("/count")
    old = browser.cookies["connect.sid"]
    browser.get("/fresh")
    assert browser.cookies["connect.sid"] != old
    assert browser.get("/everything").json == {"after": True}
    assert Browser(app).get("/everything", headers={"Cookie": f"connect.sid={old}"}).json == {}


def test_who_is_logged_in_by_pyramid(sessions: Sessions) -> None:
    """SessionAuthenticationHelper keeps its user in the session."""
    helper = SessionAuthenticationHelper()

    def login(request: Any) -> Response:
        request.session.regenerate(keep=True)
        helper.remember(request, "zoe")
        return Response("ok")

    def me(request: Any) -> Response:
        return Response(str(helper.authenticated_userid(request)))

    browser = Browser(site(sessions, login, me))
    browser.get("/login")
    assert browser.get("/me").text == "zoe"


def test_remember_changes_the_id_and_the_csrf_token(sessions: Sessions) -> None:
    """Whoever has planted a session in a browser, and knows its CSRF token, shares nothing after the log-in."""
    helper = SessionAuthenticationHelper()

    def token(request: Any) -> Response:
        return Response(request.session.get_csrf_token())

    def pyramid_login(request: Any) -> Response:
        helper.remember(request, "zoe")
        return Response("ok")

    def login(request: Any) -> Response:
        request.session.login("zoe")
        return Response("ok")

    def logout(request: Any) -> Response:
        helper.forget(request)
        return Response("ok")

    def me(request: Any) -> Response:
        return Response(str(helper.authenticated_userid(request) or request.session.user_id))

    app = site(sessions, token, pyramid_login, login, logout, me)
    for way in ("/pyramid_login", "/login"):
        attacker, victim = Browser(app), Browser(app)
        planted = attacker.get("/token").text
        victim.set_cookie("connect.sid", attacker.cookies["connect.sid"])
        victim.get(way)
        assert victim.get("/me").text == "zoe"
        assert attacker.get("/me").text == "None"
        assert victim.get("/token").text != planted
        stolen = Browser(app)
        stolen.set_cookie("connect.sid", victim.cookies["connect.sid"])
        if way == "/pyramid_login":
            victim.get("/logout")
            assert stolen.get("/me").text == victim.get("/me").text == "None"


def test_an_exception_with_a_view_is_a_page(sessions: Sessions) -> None:
    """What a request changed is stored if a view answers for its exception, and dropped if none does."""

    def fail(request: Any) -> Response:
        request.session["failed"] = request.GET["kind"]
        raise {"value": ValueError, "other": LookupError}[request.GET["kind"]]

    config = Configurator(settings={"sessile.sessions": sessions})
    config.include("sessile.pyramid")
    config.add_exception_view(lambda error, request: Response("no"), context=ValueError)
    browser = Browser(finish(config, fail, everything))
    browser.get("/fail?kind=value")
    with pytest.raises(LookupError):
        browser.get("/fail?kind=other")
    assert browser.get("/everything").json == {"failed": "value"}


def test_other_callbacks_may_write(sessions: Sessions) -> None:
    """A response callback that was added before the first look at the session is heard before the commit."""

    def late(request: Any) -> Response:
        request.add_response_callback(lambda request, response: request.session.update(late=True))
        return count(request)

    browser = Browser(site(sessions, late, everything))
    browser.get("/late")
    assert browser.get("/everything").json == {"n": 1, "late": True}


def test_outside_the_path_there_is_no_session() -> None:
    """Where the cookie is not sent, request.session is empty and refuses writes."""
    sessions = Sessions(secret=SECRET, cookie=CookieOptions(path="/app"))
    browser = Browser(site(sessions, count, everything))
    assert browser.get("/everything").json == {}
    with pytest.raises(SessionEnded, match="path"):
        browser.get("/count")


def test_a_subrequest_has_a_session_of_its_own(sessions: Sessions) -> None:
    """A request that the application makes of itself brings the cookie that it is given, or none."""

    def outer(request: Any) -> Response:
        request.session["n"] = 7
        return request.invoke_subrequest(Request.blank("/count"))

    browser = Browser(site(sessions, count, outer))
    assert browser.get("/outer").text == "1"


def test_a_store_that_is_down_is_503() -> None:
    """Whether or not a view has caught the exception; with set_session_factory alone it is the application's."""

    def shy(request: Any) -> Response:
        with contextlib.suppress(StoreUnavailable):
            count(request)
        return Response("as if nothing were wrong")

    sessions = Sessions(secret=SECRET, store=Down())
    cookie = {"Cookie": f"connect.sid={Signer([SECRET.encode()]).token('A' * 32)}"}
    headers = list(UNAVAILABLE_HEADERS)
    for path in ("/count", "/shy"):
        response = Browser(site(sessions, count, shy)).get(path, headers=cookie, status=503)
        assert (response.headers["Retry-After"], response.body) == ("10", UNAVAILABLE)
        response.headers["Retry-After"] = "20"
    assert headers == UNAVAILABLE_HEADERS
    config = Configurator()
    config.set_session_factory(sessile.pyramid.session_factory(sessions))
    with pytest.raises(StoreUnavailable):
        Browser(finish(config, count)).get("/count", headers=cookie)
