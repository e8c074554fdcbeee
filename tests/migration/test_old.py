"""The sessions of other libraries: made by them, moved, and read here; and their visitors stay logged in"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import flask
import httpx
import msgspec
import pytest
import redis
from flask_session.base import ServerSideSession
from itsdangerous import BadSignature, Signer
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

import sessile.flask
from sessile import CookieOptions, Sessions
from sessile.adoption import AsgiAdoption, WsgiAdoption, new_id
from sessile.errors import InvalidOption
from sessile.migration import Report, migrate, old
from sessile.starlette import SessionMiddleware
from sessile.stores import from_url
from sessile.stores.memory import MemoryStore
from sessile.testing import FaultyStore, FrozenClock
from tests.migration.sessions import SECRET
from tests.stores import redis_servers
from tests.stores.mongo_server import mongo_server

#: Of what a session may hold that was made by msgpack: all that JSON knows.
VALUES = {"user": "zoë", "cart": [{"sku": "a", "price": 12.5}], "n": 3, "big": 2**53, "none": None, "yes": True}


@pytest.fixture(scope="module")
def redis_server() -> Iterator[redis_servers.Server]:
    with redis_servers.started() as found:
        yield found


@pytest.fixture
def client(redis_server: redis_servers.Server) -> Iterator[redis.Redis]:
    with redis.Redis(port=redis_server.port) as found:
        found.flushall()
        yield found


def moved(url: str, target: Any, journal: Path, **options: Any) -> Report:
    found = old.from_url(url)
    assert found is not None
    return asyncio.run(migrate(found.store, target, journal, rename=found.rename, **options))


# Flask-Session -------------------------------------------------------------------------------------------------------


def flask_site(setup: Callable[[flask.Flask], None], **config: Any) -> flask.Flask:
    """A site with Flask-Session."""
    from flask_session import Session

    app = flask.Flask(__name__)
    app.config.update(SECRET_KEY=SECRET, PERMANENT_SESSION_LIFETIME=3600, **config)
    setup(app)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # It uses utcnow, and warns of its own options.
        Session(app)

    @app.post("/")
    def write() -> str:
        flask.session.update(flask.request.get_json())
        return ""

    return app


def new_flask_site(sessions: Sessions, **adoption: Any) -> flask.Flask:
    app = flask.Flask(__name__)
    sessile.flask.init_app(app, sessions)

    @app.get("/")
    def read() -> Any:
        return dict(flask.session)

    @app.get("/more")
    def more() -> Any:
        flask.session["n"] = flask.session.get("n", 0) + 1
        return dict(flask.session)

    @app.get("/renew")
    def renew() -> Any:
        sessile.flask.session.regenerate(keep=True)
        return dict(flask.session)

    @app.get("/leave")
    def leave() -> str:
        sessile.flask.session.destroy()
        return ""

    until = datetime.fromtimestamp(sessions.options.clock(), UTC) + timedelta(days=14)
    app.wsgi_app = WsgiAdoption(app.wsgi_app, sessions, **{"until": until, **adoption})  # type: ignore[method-assign]
    return app


@contextmanager
def in_redis(folder: Path, client: redis.Redis) -> Iterator[tuple[Any, str]]:
    port = client.connection_pool.connection_kwargs["port"]
    yield {"SESSION_TYPE": "redis", "SESSION_REDIS": client}, f"flask-session+redis://127.0.0.1:{port}"


@contextmanager
def in_sqlalchemy(folder: Path, client: redis.Redis) -> Iterator[tuple[Any, str]]:
    url = f"sqlite:///{folder}/flask.db"
    yield {"SESSION_TYPE": "sqlalchemy", "SQLALCHEMY_DATABASE_URI": url}, f"flask-session+{url}"


@contextmanager
def in_mongodb(folder: Path, client: redis.Redis) -> Iterator[tuple[Any, str]]:
    import pymongo

    with mongo_server(folder) as server, pymongo.MongoClient(server.url("")) as mongo:
        yield {"SESSION_TYPE": "mongodb", "SESSION_MONGODB": mongo}, f"flask-session+{server.url('')}"


@pytest.mark.parametrize("place", [in_redis, in_sqlalchemy, in_mongodb])
@pytest.mark.parametrize("written_as", ["msgpack", "json"])
@pytest.mark.filterwarnings("ignore:datetime.datetime.utcnow:DeprecationWarning")
def test_flask_session(place: Any, written_as: str, tmp_path: Path, client: redis.Redis) -> None:
    """Its sessions go on, with their ends; their visitors come with the cookie that they have."""
    target = MemoryStore()
    with place(tmp_path, client) as (config, url):

        def setup(app: flask.Flask) -> None:
            if "SQLALCHEMY_DATABASE_URI" in config:
                from flask_sqlalchemy import SQLAlchemy

                app.config["SQLALCHEMY_DATABASE_URI"] = config["SQLALCHEMY_DATABASE_URI"]
                app.config["SESSION_SQLALCHEMY"] = SQLAlchemy(app)

        site = flask_site(setup, SESSION_SERIALIZATION_FORMAT=written_as, **config)
        browsers = [site.test_client() for _ in range(3)]
        for number, browser in enumerate(browsers):
            browser.post("/", json={**VALUES, "number": number})
        report = moved(url, target, tmp_path / "journal")
        assert (report.found, report.copied, report.matching, report.refused) == (3, 3, 3, 0)
        assert moved(url, target, tmp_path / "journal").present == 3
        if "SESSION_SQLALCHEMY" in site.config:
            with site.app_context():
                site.config["SESSION_SQLALCHEMY"].engine.dispose()
    assert all(abs(record.expires_at - time.time() - 3600) < 60 for _, record in target.all())

    new = new_flask_site(Sessions(secret=SECRET, store=target))
    for number, browser in enumerate(browsers):
        cookie = browser.get_cookie("session")
        assert cookie is not None
        visitor = new.test_client()
        visitor.set_cookie("session", cookie.value)
        answer = visitor.get("/")
        assert answer.json == {**VALUES, "number": number}
        assert answer.headers["Cache-Control"] == "no-store"
        assert visitor.get_cookie("session") is None
        assert visitor.get_cookie("connect.sid") is not None
        assert visitor.get("/more").json["n"] == 4


def test_signed_ids_of_flask_session(tmp_path: Path, client: redis.Redis) -> None:
    """What was signed with the site's SECRET_KEY is unsigned with it, and nothing else is taken."""
    with in_redis(tmp_path, client) as (config, url), warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        site = flask_site(lambda app: None, SESSION_USE_SIGNER=True, **config)
        browser = site.test_client()
        browser.post("/", json={"user": "zoe"})
        target = MemoryStore()
        assert moved(url, target, tmp_path / "journal").copied == 1
    signer = Signer(SECRET, salt="flask-session", key_derivation="hmac")

    def read(value: str) -> str | None:
        try:
            return signer.unsign(value).decode()
        except BadSignature:
            return None

    new = new_flask_site(Sessions(secret=SECRET, store=target), read=read)
    cookie = browser.get_cookie("session")
    assert cookie is not None
    visitor = new.test_client()
    visitor.set_cookie("session", read(cookie.value) or "")
    assert visitor.get("/").json == {}
    visitor.set_cookie("session", cookie.value)
    assert visitor.get("/").json == {"user": "zoe"}


def test_what_cannot_be_read_is_counted(tmp_path: Path, client: redis.Redis) -> None:
    """Pickles are never loaded; what JSON cannot hold is named, and so is what uses a reserved key."""
    import pickle

    class Bomb:
        def __reduce__(self) -> Any:
            return os.mkdir, (str(tmp_path / "exploded"),)

    contents = {
        "pickled": pickle.dumps({"user": Bomb()}),
        "pickled-0": pickle.dumps({"user": "zoe"}, 0),
        "bytes": msgspec.msgpack.encode({"key": b"\x00"}),
        "moment": msgspec.msgpack.encode({"at": datetime.now(UTC)}),
        "reserved": msgspec.msgpack.encode({"cookie": 1}),
        "list": b"[1]",
        "empty": b"",
    }
    for sid, content in contents.items():
        client.set(f"session:{sid}", content, ex=600)
    client.set("session:fine", msgspec.msgpack.encode({}), ex=600)
    client.lpush("session:no-text", "x")
    with in_redis(tmp_path, client) as (_, url):
        target = MemoryStore()
        report = moved(url, target, tmp_path / "journal")
        assert (report.copied, report.refused, report.good) == (1, len(contents), False)
        assert report.reason
        assert not (tmp_path / "exploded").exists()
        one = old.from_url(url)
        assert one is not None

        async def reasons() -> dict[str, str]:
            found = {sid: record.payload.reason async for sid, record in one.store.all() if not record.payload}
            await one.store.close()
            return found

        told = asyncio.run(reasons())
    assert "pickle" in told["pickled"]
    assert "datetime" in told["moment"]
    assert "session['cookie']" in told["reserved"]


# starsessions --------------------------------------------------------------------------------------------------------


def star_site(client: Any) -> Starlette:
    from starsessions import SessionAutoloadMiddleware, SessionMiddleware
    from starsessions.stores.redis import RedisStore

    async def write(request: Request) -> JSONResponse:
        request.session.update(await request.json())
        return JSONResponse(None)

    app = Starlette(routes=[Route("/", write, methods=["POST"])])
    app.add_middleware(SessionAutoloadMiddleware)
    app.add_middleware(SessionMiddleware, store=RedisStore(connection=client), lifetime=3600, cookie_https_only=False)
    return app


def new_star_site(sessions: Sessions, **adoption: Any) -> Any:
    async def read(request: Request) -> JSONResponse:
        return JSONResponse(request.session)

    async def more(request: Request) -> JSONResponse:
        request.session["n"] = request.session.get("n", 0) + 1
        return JSONResponse(request.session)

    async def renew(request: Request) -> JSONResponse:
        request.session.regenerate(keep=True)
        return JSONResponse(request.session)

    async def leave(request: Request) -> JSONResponse:
        request.session.destroy()
        return JSONResponse(None)

    routes = [Route("/", read), Route("/more", more), Route("/renew", renew), Route("/leave", leave)]
    app = Starlette(routes=routes)
    app.add_middleware(SessionMiddleware, sessions=sessions)
    until = datetime.fromtimestamp(sessions.options.clock(), UTC) + timedelta(days=14)
    app.add_middleware(AsgiAdoption, sessions=sessions, **{"until": until, **adoption})
    return app


def browser_of(app: Any, base: str = "http://site.test") -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=base)


async def test_starsessions(tmp_path: Path, redis_server: redis_servers.Server, client: redis.Redis) -> None:
    """Its sessions go on, and know when they began."""
    target = MemoryStore()
    async with redis.asyncio.Redis(port=redis_server.port) as connection, browser_of(star_site(connection)) as visitor:
        await visitor.post("/", json=VALUES)
        cookie = visitor.cookies["session"]
    found = old.from_url(f"starsessions+redis://127.0.0.1:{redis_server.port}")
    assert found is not None
    sessions = Sessions(secret=SECRET, store=target)
    report = await migrate(found.store, sessions, tmp_path / "journal", rename=found.rename)
    assert (report.copied, report.matching) == (1, 1)
    session = await sessions.aopen(new_id(cookie))
    assert abs(session.created_at - time.time()) < 60
    async with browser_of(new_star_site(sessions)) as visitor:
        answer = await visitor.get("/", headers={"Cookie": f"session={cookie}"})
        assert answer.json() == VALUES
        assert set(visitor.cookies) == {"connect.sid"}
        assert (await visitor.get("/more")).json() == {**VALUES, "n": 4}


# Django --------------------------------------------------------------------------------------------------------------

DJANGO = """
import json, os, sys, django
from django.conf import settings
django.setup()
from importlib import import_module
from django.contrib.sessions.backends.base import UpdateError
engine = import_module(settings.SESSION_ENGINE).SessionStore
command = sys.argv[1]
if command == "write":
    from django.core.management import call_command
    if settings.SESSION_ENGINE.endswith("db"):
        call_command("migrate", verbosity=0)
    keys = []
    for number in range(3):
        session = engine()
        session.update(json.loads(sys.argv[2]))
        session["number"] = number
        session.set_expiry(3600)
        session.save()
        keys.append(session.session_key)
    print(json.dumps(keys))
else:
    print(json.dumps([dict(engine(key).items()) for key in json.loads(sys.argv[2])]))
"""


@pytest.mark.parametrize("engine", ["db", "cached_db", "file"])
def test_django(engine: str, tmp_path: Path) -> None:
    """Its sessions go on under their own keys, which Django's cookie carries with our engine as well."""
    (tmp_path / "files").mkdir()
    (tmp_path / "old_shop_settings.py").write_text(
        f"SECRET_KEY = {SECRET!r}\n"
        "INSTALLED_APPS = ['django.contrib.sessions']\nUSE_TZ = True\n"
        "DATABASES = {'default': {'ENGINE': 'django.db.backends.sqlite3', 'NAME': 'shop.db'}}\n"
        f"SESSION_FILE_PATH = {str(tmp_path / 'files')!r}\n"
        f"SESSION_ENGINE = 'django.contrib.sessions.backends.{engine}'\n"
    )
    (tmp_path / "new_shop_settings.py").write_text(
        "from old_shop_settings import *\n"
        "SESSION_ENGINE = 'sessile.django'\nSESSILE = {'store': 'sqlite:///sessions.db'}\n"
    )

    def run(settings: str, *arguments: str) -> Any:
        environment = {**os.environ, "DJANGO_SETTINGS_MODULE": settings}
        environment["PYTHONPATH"] = os.pathsep.join((str(tmp_path), environment.get("PYTHONPATH", "")))
        command = [sys.executable, "-W", "error", *arguments]
        done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    keys = run("old_shop_settings", "-c", DJANGO, "write", json.dumps(VALUES))
    cli = "from sessile.cli import main; main()"
    move = ("-c", cli, "migrate", "--from", f"django://{engine}", "--to", "sqlite:///sessions.db", "--json")
    report = run("new_shop_settings", *move)
    assert (report["copied"], report["matching"], report["refused"]) == (3, 3, 0)
    found = run("new_shop_settings", "-c", DJANGO, "read", json.dumps(keys))
    assert found == [{**VALUES, "number": number, "_session_expiry": 3600} for number in range(3)]
    store = from_url(f"sqlite:///{tmp_path}/sessions.db", time.time)
    assert all(abs(record.expires_at - time.time() - 3600) < 60 for _, record in store.all())  # type: ignore[attr-defined]
    store.close()  # type: ignore[attr-defined]


# The old cookie ------------------------------------------------------------------------------------------------------


class Shop:
    """A site with one session of another library, and who visits it, by WSGI or ASGI."""

    def __init__(self, kind: str, **options: Any) -> None:
        self.kind = kind
        self.clock = FrozenClock()
        self.store = FaultyStore(MemoryStore(clock=self.clock))
        self.sessions = Sessions(secret=SECRET, store=self.store, clock=self.clock, **options)
        asyncio.run(self._make())
        self.app = (new_flask_site if kind == "wsgi" else new_star_site)(self.sessions)

    async def _make(self) -> None:
        self.store._inner.create(new_id("the-old-id"), b'{"n":1}', 3600)

    def get(self, path: str = "/", cookie: str = "session=the-old-id", base: str = "http://site.test") -> Any:
        """Return the status, the body, and what is set: by name."""
        if self.kind == "wsgi":
            answer = self.app.test_client(use_cookies=False).get(path, headers={"Cookie": cookie}, base_url=base)
            lines = answer.headers.getlist("Set-Cookie")
            return answer.status_code, answer.json if answer.is_json else None, by_name(lines)

        async def ask() -> Any:
            async with browser_of(self.app, base) as browser:
                answer = await browser.get(path, headers={"Cookie": cookie.encode("latin-1")})
                body = answer.json() if answer.status_code == 200 else None
                return answer.status_code, body, by_name(answer.headers.get_list("set-cookie"))

        return asyncio.run(ask())

    def ours(self, set_cookie: dict[str, str]) -> str:
        return set_cookie["connect.sid"].partition(";")[0]


def by_name(lines: list[str]) -> dict[str, str]:
    found = {line.partition("=")[0]: line for line in lines}
    assert len(found) == len(lines), "two lines for one cookie"
    return found


@pytest.fixture(params=["wsgi", "asgi"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_the_old_cookie_is_adopted_once(kind: str) -> None:
    """The visitor gets a cookie of ours, and the old one is worth nothing any more."""
    shop = Shop(kind)
    status, body, set_cookie = shop.get()
    assert (status, body) == (200, {"n": 1})
    assert "Max-Age=0" in set_cookie["session"]
    assert "HttpOnly" in set_cookie["connect.sid"]
    ours = shop.ours(set_cookie)
    assert shop.get(cookie=ours)[1:] == ({"n": 1}, {})
    shop.clock.advance(61)
    assert shop.get()[1:] == ({}, {})
    assert shop.get(cookie=f"{ours}; session=the-old-id")[1:] == ({"n": 1}, {})


def test_requests_in_flight_with_the_old_cookie_find_the_session(kind: str) -> None:
    """For a minute, and none of them is given the new id, nor loses what it writes."""
    shop = Shop(kind)
    ours = shop.ours(shop.get()[2])
    assert shop.get("/more")[1:] == ({"n": 2}, {})
    assert shop.get()[1:] == ({"n": 2}, {})
    assert shop.get(cookie=ours)[1] == {"n": 2}


def test_what_the_handler_makes_of_it_is_newer(kind: str) -> None:
    """A log-in or a log-out with the first visit leaves one cookie, the right one."""
    shop = Shop(kind)
    _, body, set_cookie = shop.get("/renew")
    assert body == {"n": 1}
    assert shop.get(cookie=shop.ours(set_cookie))[1] == {"n": 1}
    shop = Shop(kind)
    _, _, set_cookie = shop.get("/leave")
    assert "Max-Age=0" in set_cookie["connect.sid"]
    assert "Max-Age=0" in set_cookie["session"]
    assert shop.get()[1] == {}


def test_ids_of_ours_are_never_adopted(kind: str) -> None:
    """Whoever knows one, from a store or a page, cannot use it in the old cookie. Nor the key of an old session."""
    shop = Shop(kind)
    ours = shop.ours(shop.get()[2])
    (sid,) = shop.sessions.engine.setup.transport.read(ours.encode()).sids
    for value in (sid, new_id("the-old-id"), f"old:{sid}", "", "x" * 600, "%00", "é"):
        assert shop.get(cookie=f"session={value}")[1:] == ({}, {})


def test_several_old_cookies_are_not_believed(kind: str) -> None:
    """One of them may come from a hostile neighbour."""
    shop = Shop(kind)
    assert shop.get(cookie="session=the-old-id; session=another")[1:] == ({}, {})


def test_it_ends_when_it_was_said(kind: str) -> None:
    """From then on the old cookie is a cookie like any other."""
    shop = Shop(kind)
    shop.store._inner.touch(new_id("the-old-id"), 30 * 86_400)
    shop.clock.advance(14 * 86_400)
    shop.store.calls.clear()
    assert shop.get()[1:] == ({}, {})
    assert shop.store.calls == []


def test_who_has_a_cookie_of_ours_costs_nothing_more(kind: str) -> None:
    """And neither does who has none at all."""
    shop = Shop(kind)
    ours = shop.ours(shop.get()[2])
    shop.store.calls.clear()
    shop.get(cookie=f"{ours}; session=the-old-id")
    shop.get(cookie="theme=dark")
    assert shop.store.calls.count("load") == 1


def test_a_cookie_that_cannot_travel_adopts_nothing(kind: str) -> None:
    """By http a secure cookie would not be kept; the session waits for the visitor to come by https."""
    shop = Shop(kind, cookie=CookieOptions(secure=True))
    assert shop.get()[1:] == ({}, {})
    _, body, set_cookie = shop.get(base="https://site.test")
    assert body == {"n": 1}
    assert "Secure" in set_cookie["connect.sid"]


@pytest.mark.parametrize(("policy", "status"), [("unavailable", 503), ("anonymous", 200)])
def test_a_store_that_is_down_is_no_log_out(kind: str, policy: str, status: int) -> None:
    """The old cookie is kept for later."""
    shop = Shop(kind, on_store_error=policy)
    shop.store.fail()
    assert shop.get()[::2] == (status, {})
    shop.store.mend()
    assert shop.get()[1] == {"n": 1}


def test_it_is_set_up_with_care() -> None:
    """An end is needed, and a cookie."""
    sessions = Sessions(secret=SECRET)
    soon = datetime.now(UTC) + timedelta(days=1)
    with pytest.raises(InvalidOption, match="time zone"):
        AsgiAdoption(None, sessions, until=datetime(2030, 1, 1))
    with pytest.raises(InvalidOption, match="a year"):
        AsgiAdoption(None, sessions, until=soon + timedelta(days=400))
    with pytest.raises(InvalidOption, match="cookie"):
        AsgiAdoption(None, Sessions(secret=SECRET, transport="bearer"), until=soon)


def test_what_flask_session_keeps_is_what_we_think(client: redis.Redis) -> None:
    """Its class of sessions is a dict with a mark of ours to leave out."""
    assert dict(ServerSideSession({"a": 1}, sid="x", permanent=True)) == {"a": 1, "_permanent": True}
