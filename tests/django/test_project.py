"""What a Django project does with its sessions, under each of the three middlewares it can have."""

from __future__ import annotations

import asyncio
import io
import json
import pickle
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command
from django.test import AsyncClient, Client, RequestFactory, override_settings
from django.utils import timezone

from sessile import CookieOptions, SessionError, Sessions, StoreUnavailable
from sessile.django import SessionMiddleware, SessionStore, configuration, session
from sessile.errors import MissingMiddleware
from sessile.stores.memory import MemoryStore
from sessile.testing import FrozenClock
from tests.conftest import SECRET
from tests.django import pages

DJANGO = "django.contrib.sessions.middleware.SessionMiddleware"
PLAIN = "sessile.django.PlainSessionMiddleware"
SIGNED = "sessile.django.SessionMiddleware"


class Store(MemoryStore):
    """Counts the calls, and can be switched off."""

    down = False

    def __init__(self, clock: FrozenClock) -> None:
        super().__init__(clock=clock)
        self.calls: list[str] = []

    def _call(self, verb: str) -> None:
        self.calls.append(verb)
        if self.down:
            raise ConnectionError("switched off")

    def load(self, sid: str) -> Any:
        self._call("load")
        return super().load(sid)

    def create(self, sid: str, payload: bytes, ttl: float) -> Any:
        self._call("create")
        return super().create(sid, payload, ttl)

    def replace(self, sid: str, payload: bytes, ttl: float, expected: bytes) -> Any:
        self._call("replace")
        return super().replace(sid, payload, ttl, expected)

    def touch(self, sid: str, ttl: float) -> Any:
        self._call("touch")
        return super().touch(sid, ttl)


class Site:
    """A project under one middleware."""

    def __init__(self, middleware: str, **options: Any) -> None:
        self.middleware = middleware
        self.clock = FrozenClock(time.time())
        self.store = Store(self.clock)
        self.settings = override_settings(
            MIDDLEWARE=[middleware, *settings.MIDDLEWARE[1:]],
            SESSION_COOKIE_NAME="connect.sid" if middleware == SIGNED else "sessionid",
            SESSILE={"store": self.store, "clock": self.clock, **options},
        )

    def visit(self, client: Client, path: str, **query: str) -> Any:
        return client.get(f"/{path}", query)

    def copy(self, client: Client, **how: Any) -> Client:
        """Return another client with the same cookies: a second window, or a thief."""
        other = Client(**how)
        other.cookies.update(client.cookies)
        return other


@pytest.fixture(params=[DJANGO, PLAIN, SIGNED], ids=["django", "plain", "signed"])
def site(request: Any) -> Iterator[Site]:
    made = Site(request.param)
    with made.settings:
        yield made


@pytest.fixture
def client() -> Client:
    return Client()


@pytest.fixture(scope="module")
def zoe(project: None) -> Iterator[Any]:
    user = get_user_model().objects.create_superuser("zoe", "zoe@example.com", "sesame")
    yield user
    user.delete()


# The session ----------------------------------------------------------------------------------------------------------


def test_an_untouched_request_makes_no_call(site: Site, client: Client) -> None:
    """And says nothing of sessions in its response."""
    site.visit(client, "write", n="1")
    site.store.calls.clear()
    response = site.visit(client, "ok")
    assert (site.store.calls, response.cookies, "Vary" in response) == ([], {}, False)


def test_a_nested_change_is_noticed(site: Site, client: Client) -> None:
    """No ``modified = True`` is needed, as it is with Django's engines."""
    for _ in range(3):
        site.visit(client, "nested")
    assert site.visit(client, "everything").json() == {"cart": ["item", "item"]}


@pytest.mark.parametrize("query", [{"by": "class"}, {"by": "engine"}, {"by": "class", "rotate": "1"}])
def test_what_a_view_puts_in_the_place_of_the_session_counts(site: Site, client: Client, query: Any) -> None:
    """Another store of the same session, for a visitor who is new and for one who is not."""
    for _ in range(2):
        site.visit(client, "replaced", **query)
        assert site.visit(client, "everything").json() == {"a": 1, "b": 2}
    assert len([key for key, _ in MemoryStore.all(site.store)]) == 1


def test_a_middleware_around_ours_changes_the_cookie(site: Site, client: Client) -> None:
    """Its attributes are what Django's are: a number of seconds, and what a middleware for several domains sets."""
    site.visit(client, "expiry", seconds="3600")
    name = settings.SESSION_COOKIE_NAME
    response = site.visit(client, "expiry", seconds="7200")
    assert response.cookies[name]["max-age"] == 7200
    before = response.cookies[name].OutputString()
    response.cookies[name]["domain"] = "example.com"
    response.cookies[name]["samesite"] = "None"
    after = response.cookies[name].OutputString()
    assert "domain=example.com" in after.lower()
    assert "samesite=none" in after.lower()
    assert "samesite=lax" not in after.lower()
    assert after.split("; ")[0] == before.split("; ")[0]


def test_two_writers_of_two_keys_are_both_kept(site: Site, client: Client) -> None:
    """A request that writes while another one does."""
    site.visit(client, "write", n="1")
    pages.meanwhile.append(lambda: site.visit(site.copy(client), "write", quick="1"))
    assert site.visit(client, "slow").status_code == 200
    assert site.visit(client, "everything").json() == {"n": "1", "quick": "1", "slow": True}


def test_a_logout_is_not_undone(site: Site, client: Client, zoe: Any) -> None:
    """Django answers the late writer with 400; ours send its page. No session comes back, and no cookie is sent."""
    site.visit(client, "login", user="zoe")
    thief = site.copy(client)
    pages.meanwhile.append(lambda: site.visit(site.copy(client), "logout"))
    response = site.visit(client, "slow")
    assert response.status_code == (400 if site.middleware == DJANGO else 200)
    assert response.cookies == {}
    assert site.visit(thief, "me").content == b""
    assert len(site.store._records) == 0


def test_create_gives_a_key_at_once(site: Site, client: Client) -> None:
    """``if not session_key: create()`` is how many a project recognises its visitors."""
    first = site.visit(client, "key").content
    assert len(first) >= 32
    assert site.visit(client, "key").content == first
    assert SessionStore().exists(first.decode())


def test_django_s_cookie_settings_are_respected(site: Site, client: Client) -> None:
    """Name, path, domain, SameSite, Secure and HttpOnly, whoever writes it."""
    with override_settings(
        SESSION_COOKIE_NAME="other",
        SESSION_COOKIE_AGE=600,
        SESSION_COOKIE_PATH="/",
        SESSION_COOKIE_DOMAIN="testserver",
        SESSION_COOKIE_SAMESITE="Strict",
        SESSION_COOKIE_SECURE=True,
        SESSION_COOKIE_HTTPONLY=False,
    ):
        cookie = client.get("/write", {"n": "1"}, secure=True).cookies["other"]
    found = {key: cookie[key] for key in ("max-age", "path", "domain", "samesite", "secure", "httponly")}
    assert found["httponly"] in ("", None)
    assert (str(found["max-age"]), found["path"], found["domain"]) == ("600", "/", "testserver")
    assert (found["samesite"], found["secure"]) == ("Strict", True)


def test_the_cookie_may_end_with_the_browser(site: Site, client: Client) -> None:
    """SESSION_EXPIRE_AT_BROWSER_CLOSE, and set_expiry(0) for one session."""
    with override_settings(SESSION_EXPIRE_AT_BROWSER_CLOSE=True):
        assert site.visit(client, "write", n="1").cookies[settings.SESSION_COOKIE_NAME]["max-age"] == ""
    cookie = site.visit(Client(), "write", n="1").cookies[settings.SESSION_COOKIE_NAME]
    assert str(cookie["max-age"]) == str(settings.SESSION_COOKIE_AGE)
    cookie = site.visit(Client(), "expiry", seconds="0").cookies[settings.SESSION_COOKIE_NAME]
    assert cookie["max-age"] == ""


def test_save_every_request_renews_the_cookie(site: Site, client: Client) -> None:
    """SESSION_SAVE_EVERY_REQUEST, for a request that never looks."""
    site.visit(client, "write", n="1")
    with override_settings(SESSION_SAVE_EVERY_REQUEST=True):
        assert settings.SESSION_COOKIE_NAME in site.visit(client, "ok").cookies


def test_set_expiry_ends_the_record(site: Site, client: Client) -> None:
    """Seconds count from the last change; the record is gone with the cookie."""
    site.visit(client, "expiry", seconds="100")
    site.clock.advance(99)
    assert site.visit(client, "write", n="1").status_code == 200
    site.clock.advance(99)
    assert site.visit(client, "everything").json() == {"_session_expiry": 100, "n": "1"}
    site.clock.advance(101)
    assert site.visit(client, "everything").json() == {}


@pytest.mark.parametrize("how", ["django", "signed"])
def test_a_moment_of_expiry_does_not_move(how: str) -> None:
    """set_expiry(datetime): reading and writing do not extend such a session."""
    end = timezone.now() + timedelta(hours=1)
    site = Site(SIGNED if how == "signed" else DJANGO)
    with site.settings:
        made = SessionStore()
        made.set_expiry(end)
        made.save()
        sid = session_of(made).id
        for _ in range(2):
            ends = configuration.sessions().store.load(sid).expires_at
            assert abs(ends - end.timestamp()) < 3
            client = Client()
            client.cookies[settings.SESSION_COOKIE_NAME] = made.session_key
            assert client.get("/write", {"n": "1"}).status_code == 200


def session_of(store: SessionStore) -> Any:
    return store._session


# What is built on it --------------------------------------------------------------------------------------------------


def test_a_login_changes_the_key(site: Site, client: Client, zoe: Any) -> None:
    """Session fixation: whoever planted the key has nothing. What the visitor had lives on."""
    site.visit(client, "write", cart="apple")
    thief = site.copy(client)
    site.visit(client, "login", user="zoe")
    assert (site.visit(client, "me").content, site.visit(thief, "me").content) == (b"zoe", b"")
    assert site.visit(client, "everything").json()["cart"] == "apple"
    assert site.visit(thief, "everything").json() == {}
    site.visit(client, "logout")
    assert site.visit(client, "me").content == b""
    assert len(site.store._records) == 0


def test_a_view_that_fails_logs_nobody_in(site: Site, client: Client, zoe: Any) -> None:
    """With ours the visitor keeps what he had, too; Django's has changed the key by then, and sends it to nobody."""
    client = Client(raise_request_exception=False)
    site.visit(client, "write", cart="apple")
    assert site.visit(client, "login", user="zoe", fail="1").status_code == 500
    assert site.visit(client, "me").content == b""
    assert site.visit(client, "everything").json() == ({"cart": "apple"} if site.middleware == SIGNED else {})


def test_a_new_password_ends_the_other_sessions(site: Site, client: Client, zoe: Any) -> None:
    """update_session_auth_hash keeps the one that changed it, under a new key."""
    other = Client()
    for each in (client, other):
        site.visit(each, "login", user="zoe")
    thief = site.copy(client)
    site.visit(client, "password", new="mellon")
    assert [site.visit(each, "me").content for each in (client, other, thief)] == [b"zoe", b"", b""]


def test_messages_are_shown_once(site: Site, client: Client) -> None:
    """django.contrib.messages, kept in the session."""
    site.visit(client, "say", text="Saved.")
    site.visit(client, "ok")
    assert site.visit(client, "said").json() == ["Saved."]
    assert site.visit(client, "said").json() == []


def test_the_admin_works(site: Site, client: Client, zoe: Any) -> None:
    """Log in by its form, see a page, log out."""
    zoe.set_password("sesame")
    zoe.save()
    page = client.get("/admin/", follow=True)
    form = {"username": "zoe", "password": "sesame", "next": "/admin/"}
    page = client.post(page.redirect_chain[-1][0], form, follow=True)
    assert b"Site administration" in page.content
    assert b"zoe" in client.get("/admin/auth/user/").content
    assert b"Logged out" in client.post("/admin/logout/").content
    assert client.get("/admin/").status_code == 302


def test_the_checks_are_content(site: Site) -> None:
    """manage.py check: the admin wants Django's session middleware, or one that inherits from it."""
    out = io.StringIO()
    call_command("check", stdout=out, stderr=out)
    assert "no issues" in out.getvalue()


def test_clearsessions_removes_what_is_over(site: Site, client: Client) -> None:
    """And nothing else."""
    site.visit(client, "expiry", seconds="100")
    site.visit(Client(), "expiry", seconds="10000")
    site.clock.advance(101)
    call_command("clearsessions")
    assert len(site.store._records) == 1


def test_the_test_client_sees_and_changes_the_session(site: Site, client: Client, zoe: Any) -> None:
    """client.session, force_login, login and logout of Django's test client."""
    kept = client.session
    kept["cart"] = "apple"
    kept.save()
    assert site.visit(client, "everything").json() == {"cart": "apple"}
    client.force_login(zoe)
    assert site.visit(client, "me").content == b"zoe"
    assert client.session["cart"] == "apple"
    client.logout()
    assert site.visit(client, "me").content == b""
    zoe.set_password("sesame")
    zoe.save()
    assert client.login(username="zoe", password="sesame")
    assert site.visit(client, "me").content == b"zoe"


def test_the_verbs_of_ours_are_there(site: Site, client: Client) -> None:
    """``sessile.django.session(request)``."""
    site.visit(client, "write", n="1")
    before = client.cookies[settings.SESSION_COOKIE_NAME].value
    client.get("/write", {"n": ""})
    assert site.visit(client, "write", m="2").status_code == 200
    fresh = Client()
    assert site.visit(fresh, "verbs").json() == {"user": "zoe", "count": 1}
    assert site.visit(fresh, "verbs").json() == {"user": "zoe", "count": 2}
    assert before == client.cookies[settings.SESSION_COOKIE_NAME].value


async def test_asynchronous_views_too(site: Site, zoe: Any) -> None:
    """The ``a...`` methods, alogin and alogout, and the verbs of ours."""
    client = AsyncClient()
    await client.get("/awrite", {"cart": "apple"})
    assert (await client.get("/everything")).json() == {"cart": "apple"}
    await client.get("/alogin", {"user": "zoe"})
    assert (await client.get("/ame")).content == b"zoe"
    await client.get("/alogout")
    assert (await client.get("/ame")).content == b""
    assert (await client.get("/averbs")).json() == {"user": "zoe", "count": 1}
    assert len(site.store._records) == 1


@pytest.mark.parametrize("middleware", [PLAIN, SIGNED])
def test_what_sets_the_cookie_is_in_no_cache(middleware: str) -> None:
    """Whatever a view says: with SESSION_SAVE_EVERY_REQUEST that is each response, style sheets too."""
    site, client = Site(middleware), Client()
    with site.settings, override_settings(SESSION_SAVE_EVERY_REQUEST=True):
        site.visit(client, "write", n="1")
        response = site.visit(client, "public")
        assert response.content == b"body {}"
        assert response.cookies
        assert response["Cache-Control"] == "no-store"


# Outages --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("middleware", [PLAIN, SIGNED])
def test_an_outage_is_503(middleware: str, zoe: Any) -> None:
    """Whether the session cannot be loaded or not be stored; and the visitor is still logged in afterwards."""
    site, client = Site(middleware), Client()
    with site.settings:
        site.visit(client, "login", user="zoe")
        site.store.down = True
        for visitor, page in ((client, "me"), (client, "write"), (Client(), "write")):
            response = site.visit(visitor, page, n="1")
            assert (response.status_code, response["Retry-After"], response.cookies) == (503, "10", {}), page
        assert site.visit(client, "ok").status_code == 200
        site.store.down = False
        assert site.visit(client, "me").content == b"zoe"


@pytest.mark.parametrize("middleware", [PLAIN, SIGNED])
def test_an_outage_may_make_the_visitor_anonymous(middleware: str, zoe: Any) -> None:
    """Served without a session, and the cookie is left alone."""
    site, client = Site(middleware, on_store_error="anonymous"), Client()
    with site.settings:
        site.visit(client, "login", user="zoe")
        site.store.down = True
        for visitor, page in ((client, "me"), (client, "write"), (Client(), "write")):
            response = site.visit(visitor, page, n="1")
            assert (response.status_code, response.cookies) == (200, {}), page
        site.store.down = False
        assert site.visit(client, "me").content == b"zoe"


@pytest.mark.parametrize("middleware", [DJANGO, PLAIN, SIGNED])
def test_an_outage_may_be_an_exception(middleware: str) -> None:
    """As it is with Django's own middleware, whatever the options say."""
    site, client = Site(middleware, on_store_error="raise"), Client()
    with site.settings:
        site.store.down = True
        with pytest.raises(StoreUnavailable):
            site.visit(client, "write", n="1")


# Settings and corners -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wrong", "remedy"),
    [
        ({"SESSILE": {"name": "sid"}}, "SESSION_COOKIE_NAME"),
        ({"SESSILE": {"rollin": True}}, "rolling"),
        ({"SESSILE": {"store": "nonsense://"}}, "memory"),
        ({"SESSILE": {"store": "cookie://"}}, "sessile.django.SessionMiddleware"),
        ({"SESSILE": {"token": "koa-session"}}, "two cookies"),
        ({"SESSION_COOKIE_SAMESITE": "sideways"}, "strict"),
    ],
)
def test_a_wrong_setting_is_told(wrong: dict[str, Any], remedy: str) -> None:
    """As Django tells it: ImproperlyConfigured, with what to write instead."""
    with override_settings(**wrong), pytest.raises(ImproperlyConfigured, match=remedy):
        SessionStore()


def test_the_secret_is_django_s_unless_another_is_given() -> None:
    """SECRET_KEY and SECRET_KEY_FALLBACKS sign and verify; sharing with Node takes the secret of Node."""
    key, old, other = (f"the key of {whose}, which is long enough" for whose in ("Django", "last year", "Node"))
    with override_settings(SECRET_KEY=key, SECRET_KEY_FALLBACKS=[old]):
        assert configuration.sessions().options.secrets() == [key.encode(), old.encode()]
    with override_settings(SESSILE={"secret": other}):
        assert configuration.sessions().options.secrets() == [other.encode()]


def test_a_forged_key_is_none() -> None:
    """With the signed cookie a key without our signature is as good as none, and the store is not asked."""
    site = Site(SIGNED)
    with site.settings:
        made = SessionStore()
        made["n"] = 1
        made.save()
        token = made.session_key
        assert token.startswith("s%3A")
        assert SessionStore(token)["n"] == 1
        site.store.calls.clear()
        assert SessionStore(token[4:36]).get("n") is None
        assert SessionStore(token[:-1]).get("n") is None
        assert not SessionStore().exists(token[4:36])
        assert site.store.calls == []


@pytest.mark.parametrize("middleware", [DJANGO, SIGNED])
@pytest.mark.parametrize("key", [12345678901, 1.5, b"x" * 32, ["x"] * 32, {"$ne": None}, object(), True])
def test_a_key_that_is_not_text_is_an_unknown_session(middleware: str, key: Any) -> None:
    """It is no outage and no error: nobody has such a session, and the store is not asked."""
    site = Site(middleware)
    with site.settings:
        assert dict(SessionStore(key).items()) == {}
        assert not SessionStore().exists(key)
        SessionStore().delete(key)
        assert site.store.calls == []


def test_settings_may_change_while_the_sessions_stay() -> None:
    """A test that overrides a cookie setting does not lose what the memory store holds."""
    made = SessionStore()
    made["n"] = 1
    made.save()
    with override_settings(SESSION_COOKIE_AGE=60):
        assert SessionStore(made.session_key)["n"] == 1


def test_threads_share_one_store() -> None:
    """The first requests of a process may come at once."""
    with override_settings(SESSILE={"store": "memory://"}), ThreadPoolExecutor(8) as pool:
        assert len({id(made) for made in pool.map(lambda _: configuration.sessions(), range(64))}) == 1


def test_django_s_cookie_has_no_destroy() -> None:
    """Nobody would tell Django's middleware; flush() does."""
    request = RequestFactory().get("/")
    request.session = SessionStore()
    with pytest.raises(SessionError, match="flush"):
        session(request).logout()


def test_a_request_without_a_session_is_told_so() -> None:
    """With what to write."""
    with pytest.raises(MissingMiddleware, match="SESSION_ENGINE"):
        session(RequestFactory().get("/"))


def test_more_attributes_than_django_has() -> None:
    """SESSILE["cookie"] is for what Django has no setting for; the line survives being kept by Django's cache."""
    site, client = Site(SIGNED, cookie=CookieOptions(priority="high", partitioned=True, secure=True)), Client()
    with site.settings:
        cookie = client.get("/write", {"n": "1"}, secure=True).cookies["connect.sid"]
        for line in (cookie.OutputString(), pickle.loads(pickle.dumps(cookie)).OutputString()):
            assert "Priority=High" in line
            assert "Partitioned" in line


def test_https_is_what_django_says() -> None:
    """SECURE_PROXY_SSL_HEADER is believed, for Django's documentation says whom that is safe for."""
    site, client = Site(SIGNED), Client()
    with site.settings, override_settings(SECURE_PROXY_SSL_HEADER=("HTTP_X_FORWARDED_PROTO", "https")):
        assert client.get("/write", {"n": "1"}, headers={"x-forwarded-proto": "https"}).cookies["connect.sid"]["secure"]
        assert not Client().get("/write", {"n": "1"}).cookies["connect.sid"]["secure"]


def test_flush_and_write_begins_a_new_session() -> None:
    """What contrib.auth does where somebody logs in as somebody else."""
    site, client = Site(SIGNED), Client()
    with site.settings:
        site.visit(client, "write", n="1")
        before = client.session

        def flush(request: Any) -> Any:
            request.session.flush()
            assert request.session.is_empty()
            request.session["new"] = True
            return pages.ok(request)

        request = RequestFactory(cookies=client.cookies).get("/")
        request.META["HTTP_COOKIE"] = "; ".join(f"{m.key}={m.coded_value}" for m in client.cookies.values())

        response = SessionMiddleware(flush)(request)
        token = response.cookies["connect.sid"].value
        assert token != before.session_key
        assert dict(SessionStore(token).items()) == {"new": True}
        assert not SessionStore().exists(before.session_key)


def test_a_middleware_outside_may_change_the_cookies_that_came() -> None:
    """What stands in ``request.COOKIES`` is the cookie: it can be taken from a header, or taken away."""
    site, client = Site(SIGNED), Client()
    with site.settings:
        site.visit(client, "write", n="1")
        token = client.cookies["connect.sid"].value

        def left(cookies: dict[str, str]) -> Any:
            request = RequestFactory(headers={"cookie": f"connect.sid={token}"}).get("/")
            request.COOKIES = cookies
            return json.loads(SessionMiddleware(pages.everything)(request).content)

        assert left({"connect.sid": token}) == {"n": "1"}
        assert left({"other": "1"}) == {}
        assert left({"connect.sid": "s:nothing.of-ours"}) == {}
        request = RequestFactory().get("/")
        assert request.COOKIES == {}
        request.COOKIES["connect.sid"] = token
        assert json.loads(SessionMiddleware(pages.everything)(request).content) == {"n": "1"}


def test_after_the_response_nothing_is_stored() -> None:
    """A test looks at ``response.wsgi_request.session``: what it changes there is a copy, and it is told so."""
    site, client = Site(SIGNED), Client()
    with site.settings:
        left = client.get("/write", {"n": "1"}).wsgi_request.session
        before = client.session.session_key
        with pytest.warns(UserWarning, match="the response has been sent"):
            left["n"] = "2"
        assert left["n"] == "2"
        for ending in (left.save, left.cycle_key, lambda: asyncio.run(left.asave()), left.flush):
            with pytest.warns(UserWarning, match="the response has been sent"):
                ending()
        assert client.session.session_key == before
        assert dict(SessionStore(before).items()) == {"n": "1"}


def test_under_a_loop_the_a_methods_use_the_asynchronous_store() -> None:
    """And the plain ones block, as those of Django's cache engines do."""

    async def both() -> Any:
        made = SessionStore()
        await made.aset("n", 1)
        await made.asave()
        return SessionStore(made.session_key)["n"]

    assert asyncio.run(both()) == 1


@pytest.mark.parametrize("middleware", [DJANGO, PLAIN, SIGNED], ids=["django", "plain", "signed"])
def test_what_a_request_does_is_told(middleware: str, zoe: Any) -> None:
    """As everywhere: a logout is its own request's, and an unknown key is a visitor's."""
    told: list[str] = []
    site = Site(middleware, on_event=lambda event: told.append(event.name))

    def of(client: Client, path: str, **query: str) -> list[str]:
        told.clear()
        site.visit(client, path, **query)
        return list(told)

    with site.settings:
        client = Client()
        assert of(client, "write", n="1") == ["created"]
        assert of(client, "everything") == ["loaded"]
        assert of(client, "login", user="zoe")[:3] == ["loaded", "created", "rotated"]
        other = site.copy(client)
        assert of(client, "logout") == ["loaded", "destroyed"]
        assert of(other, "everything") == ["unknown_id"]


def test_a_project_may_give_a_manager_of_its_own() -> None:
    """``SESSILE = {"sessions": ...}``, the manager or where it is; its options are its own, and its cookie Django's."""
    made = Sessions(secret=SECRET, name="sessionid")
    with override_settings(SESSION_COOKIE_NAME="sessionid", SESSILE={"sessions": made}):
        assert configuration.sessions() is made
    for wrong, message in (
        ({"sessions": made, "rolling": True}, 'given beside "sessions"'),
        ({"sessions": "django.conf.settings"}, "is not a Sessions"),
        ({"sessions": Sessions(secret=SECRET)}, "SESSION_COOKIE_NAME"),
    ):
        with (
            override_settings(SESSION_COOKIE_NAME="sessionid", SESSILE=wrong),
            pytest.raises(ImproperlyConfigured, match=message),
        ):
            configuration.sessions()
