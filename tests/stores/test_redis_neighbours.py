"""The Redis store beside Fastify, Koa and connect-redis without a prefix, on a real server."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from sessile import CookieOptions, InvalidOption, SessionError, Sessions, stores
from sessile.asgi import SessionMiddleware
from sessile.codecs import Json
from sessile.codecs.koa import KoaSession
from sessile.stores.memory import MemoryStore
from sessile.stores.redis import RedisStore
from sessile.testing import FrozenClock
from tests.asgi import Browser, handler
from tests.conftest import SECRET, VECTORS
from tests.stores.beside import BesideNode, Node, Ours, node_site
from tests.stores.redis_servers import Server, started

GOLDEN: dict[str, Any] = json.loads((VECTORS / "node-cookies.json").read_text())
HOUR = 3600
WORDS = {
    "name": "Zoë Ωmega 漢字 😀",
    "lone": "\ud800",
    "quote": "\\\"'}",
    "0": [1.5, None],
    "deep": {"a": [1, {"b": 2}]},
}


@pytest.fixture(scope="module")
def redis_server() -> Iterator[Server]:
    with started() as server:
        yield server


@pytest.fixture
def url(redis_server: Server) -> str:
    redis_server.ask("FLUSHALL")
    return f"redis://127.0.0.1:{redis_server.port}"


# connect-redis without a prefix ---------------------------------------------------------------------------------------


class TestWithoutAPrefix(BesideNode):
    @pytest.fixture
    def node(self, url: str) -> Iterator[Node]:
        with node_site("redis-store.js", url, "") as node:
            yield node

    @pytest.fixture
    async def ours(self, url: str) -> Any:
        ours = Ours(f"{url}?prefix=")
        yield ours
        await ours.sessions.store.asynchronous().close()
        ours.sessions.store.close()


@pytest.mark.parametrize("verb", ["all", "count", "clear"])
def test_without_a_prefix_nothing_is_listed_counted_or_removed(url: str, verb: str, redis_server: Server) -> None:
    """The application's keys look the same."""
    redis_server.ask("SET", "counter", "1")
    store = stores.from_url(f"{url}?prefix=", time.time)
    assert store.create("a", b"{}", 60) is True
    with pytest.raises(SessionError, match="without a prefix"):
        getattr(store, verb)()
    assert redis_server.ask("GET", "counter") in (b"1", "1")
    store.close()


def test_a_user_is_logged_out_everywhere_without_a_prefix(url: str) -> None:
    """The index has a prefix of its own."""
    sessions = Sessions(secret=SECRET, store=f"{url}?prefix=")
    session = sessions.engine.blank()
    session.login("zoe")
    sessions.engine.commit_sync(session)
    assert sessions.revoke_user("zoe") == 1
    assert sessions.open(session.id) is None
    sessions.close()


def test_a_prefix_that_is_not_text_is_refused() -> None:
    with pytest.raises(InvalidOption, match="prefix"):
        RedisStore("redis://localhost", prefix=None)  # type: ignore[arg-type]


# @fastify/session -----------------------------------------------------------------------------------------------------


@pytest.fixture(params=["", "s:"], ids=["default", "prefixed"])
def cookie_prefix(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def fastify_options(cookie_prefix: str, max_age: int = HOUR * 1000) -> str:
    return json.dumps({"cookiePrefix": cookie_prefix, "cookie": {"secure": False, "maxAge": max_age}})


class TestFastify(BesideNode):
    @pytest.fixture
    def node(self, url: str, cookie_prefix: str) -> Iterator[Node]:
        with node_site("fastify-site.js", url, fastify_options(cookie_prefix)) as node:
            yield node

    @pytest.fixture
    async def ours(self, url: str, cookie_prefix: str) -> Any:
        token = "signed" if cookie_prefix else "fastify-session"
        ours = Ours(url, token=token, cookie=CookieOptions(max_age=HOUR))
        yield ours
        await ours.sessions.store.asynchronous().close()
        ours.sessions.store.close()

    async def test_what_one_ends_the_other_does_not_find(self, node: Node, ours: Ours) -> None:
        _, ours.cookie = node.get(None, set='{"a":1}')
        cookie = ours.cookie
        assert await ours.visit(lambda session: (dict(session), session.destroy())[0]) == {"a": 1}
        seen, _ = node.get(cookie)
        assert "a" not in seen
        await ours.visit(lambda session: session.update(b=2))
        node.get(ours.cookie, destroy="")
        assert await ours.visit(lambda session: (dict(session), session.is_new)) == ({}, True)

    async def test_a_visit_here_lets_the_session_live_on_there(self, node: Node, ours: Ours, url: str) -> None:
        """Fastify goes by the end inside the record, so a visit that changes nothing writes it there."""
        _, ours.cookie = node.get(None, set='{"a":1}')
        store = stores.from_url(url, time.time)
        (sid,) = [sid for sid, _ in store.all()]
        end = json.loads(store.load(sid).payload)["cookie"]["expires"]
        assert await ours.visit() == {"a": 1}
        cookie = json.loads(store.load(sid).payload)["cookie"]
        assert cookie["expires"] > end
        assert next(iter(cookie)) == "expires", "as Fastify spells it"
        seen, _ = node.get(ours.cookie)
        assert seen["a"] == 1
        store.close()


def test_a_golden_cookie_of_fastify_is_read_and_written() -> None:
    golden = GOLDEN["@fastify/session 11.1.3"]
    sessions = Sessions(secret=SECRET, token="fastify-session", name=golden["name"])
    sid = sessions.sid_of(golden["value"])
    assert sid == golden["value"].partition(".")[0]
    assert sessions.token_of(sid) == golden["value"]
    assert sessions.sid_of(f"s:{golden['value']}") == sid
    assert sessions.sid_of(golden["value"].replace("+", "%2B").replace("/", "%2F")) == sid
    for forged in ("", ".", golden["value"][:-1], golden["value"] + "A", "x" + golden["value"], "\ud800.\ud800"):
        assert sessions.sid_of(forged) is None
    assert Sessions(secret=SECRET).sid_of(golden["value"]) is None, "nobody asked for this form"


def test_a_golden_record_of_fastify_is_read_and_written() -> None:
    """Its cookie has fields that express-session's has not; changed and changed back, it is the same to the last byte."""
    raw = (
        '{"cookie":{"expires":"2026-11-30T07:11:45.202Z","originalMaxAge":86400000,"sameSite":null,"secure":false,'
        '"path":"/","httpOnly":true,"domain":null},"user":{"name":"Zoë"}}'
    ).encode()
    golden = GOLDEN["@fastify/session 11.1.3"]
    clock = FrozenClock(1_796_022_705.202 - 86400)  # A day before it ends.
    store = MemoryStore(clock=clock)
    sessions = Sessions(secret=SECRET, token="fastify-session", name=golden["name"], store=store, clock=clock)
    sid = sessions.sid_of(golden["value"])
    assert sid is not None
    assert store.create(sid, raw, 86400) is True
    for name in ("Ann", "Zoë"):
        session = sessions.open(sid)
        assert session is not None
        session["user"]["name"] = name
        sessions.engine.commit_sync(session)
        record = store.load(sid)
        assert record is not None
        assert (record.payload == raw) is (name == "Zoë"), record.payload


# koa-session with a store ---------------------------------------------------------------------------------------------


class KoaSite(Node):
    def get(self, cookie: str | None, **query: str) -> tuple[Any, str | None]:
        response = httpx.get(self.url, params=query, headers={} if cookie is None else {"cookie": cookie}, timeout=30)
        assert response.status_code == 200, response.text
        pairs = [line.partition(";")[0] for line in response.headers.get_list("set-cookie")]
        return response.json(), "; ".join(pairs) or None


class OursBesideKoa(Ours):
    @property
    def cookie(self) -> str:
        return "; ".join(f"{name}={value}" for name, value in self.jar.items())

    @cookie.setter
    def cookie(self, value: str | None) -> None:
        assert value is not None
        for pair in value.split("; "):
            name, _, text = pair.partition("=")
            self.jar[name] = text


class TestKoa:
    @pytest.fixture
    def node(self, url: str) -> Iterator[Node]:
        with node_site("koa-site.js", url, json.dumps({"maxAge": HOUR * 1000})) as node:
            yield KoaSite(node.url)

    @pytest.fixture
    async def ours(self, url: str) -> Any:
        codecs = [KoaSession(), Json()]
        ours = OursBesideKoa(
            f"{url}?prefix=", token="koa-session", codec=codecs, name="koa.sess", cookie=CookieOptions(max_age=HOUR)
        )
        yield ours
        await ours.sessions.store.asynchronous().close()
        ours.sessions.store.close()

    async def test_begun_here(self, node: Node, ours: Ours) -> None:
        await ours.visit(lambda session: session.update(WORDS))
        seen, _ = node.get(ours.cookie)
        assert seen == WORDS
        node.get(ours.cookie, set='{"node":"Größe"}')
        assert await ours.visit() == {**WORDS, "node": "Größe"}
        await ours.visit(lambda session: (session.pop("name"), session["deep"]["a"][1].update(b=3)))
        seen, _ = node.get(ours.cookie)
        rest = {key: value for key, value in WORDS.items() if key != "name"}
        assert seen == {**rest, "deep": {"a": [1, {"b": 3}]}, "node": "Größe"}

    async def test_begun_there(self, node: Node, ours: Ours) -> None:
        _, ours.cookie = node.get(None, set=json.dumps(WORDS))
        assert await ours.visit(lambda session: (dict(session), session.is_new)) == (WORDS, False)
        await ours.visit(lambda session: session["deep"]["a"].append("ü"))
        seen, _ = node.get(ours.cookie)
        assert seen == {**WORDS, "deep": {"a": [1, {"b": 2}, "ü"]}}

    async def test_what_one_ends_the_other_does_not_find(self, node: Node, ours: Ours) -> None:
        _, ours.cookie = node.get(None, set='{"a":1}')
        cookie = ours.cookie
        assert await ours.visit(lambda session: (dict(session), session.destroy())[0]) == {"a": 1}
        seen, _ = node.get(cookie)
        assert seen == {}
        await ours.visit(lambda session: session.update(b=2))
        node.get(ours.cookie, destroy="")
        assert await ours.visit(lambda session: (dict(session), session.is_new)) == ({}, True)

    async def test_a_log_in_here_changes_the_id_and_koa_carries_it(self, node: Node, ours: Ours) -> None:
        _, ours.cookie = node.get(None, set='{"cart":1}')
        before = ours.cookie
        await ours.visit(lambda session: session.login("zoe"))
        assert ours.cookie != before
        seen, _ = node.get(ours.cookie, set='{"cart":2}')
        assert seen["cart"] == 2
        assert await ours.visit(lambda session: (session.user_id, session["cart"])) == ("zoe", 2)
        assert node.get(before)[0] == {}, "the old id is dead there as well"

    async def test_a_visit_here_lets_the_session_live_on_there(self, node: Node, ours: Ours, url: str) -> None:
        """Koa goes by the end inside the record, so a visit that changes nothing writes it there."""
        _, ours.cookie = node.get(None, set='{"a":1}')
        sid = ours.jar["koa.sess"]
        store = stores.from_url(f"{url}?prefix=", time.time)
        end = json.loads(store.load(sid).payload)["_expire"]
        assert await ours.visit() == {"a": 1}
        record = json.loads(store.load(sid).payload)
        assert record["_expire"] > end
        assert record["_maxAge"] == HOUR * 1000
        store.close()

    async def test_a_session_keeps_the_length_of_its_own_life(self, url: str, ours: Ours) -> None:
        with node_site("koa-site.js", url, json.dumps({"maxAge": 30 * 24 * HOUR * 1000})) as site:
            _, ours.cookie = KoaSite(site.url).get(None, set='{"a":1}')
            assert await ours.visit(lambda session: session.cookie.original_max_age) == 30 * 24 * HOUR
            assert await ours.visit(lambda session: session.update(b=2)) is None
            assert await ours.visit(lambda session: session.cookie.original_max_age) == 30 * 24 * HOUR
            line = ours.response.all("set-cookie")
            assert line == []


def test_a_golden_cookie_and_record_of_koa_are_read_and_written() -> None:
    golden = GOLDEN["koa-session 7.0.2 with a store"]
    sessions = Sessions(secret=SECRET, token="koa-session", name=golden["name"])
    transport = sessions.engine.setup.transport
    header = f"{golden['name']}={golden['value']}; {golden['name']}.sig={golden['signature']}".encode()
    assert transport.read(header) == ((golden["value"],), 0)
    lines = transport.write(golden["value"], {"path": "/"}, 0)
    assert "; ".join(line.partition(";")[0] for line in lines).encode() == header
    for forged in (header[:-1], header.replace(b"426e", b"426f"), header.partition(b";")[0]):
        assert transport.read(forged) == ((), 1)
    codec = KoaSession()
    record = golden["record"].encode()
    payload = codec.decode(record, "sid")
    assert (
        payload
        == (
            '{"cookie":{"originalMaxAge":86400000,"expires":"2026-11-30T07:03:16.497Z"},"views":1,"user":{"name":"Zoë"}}'
        ).encode()
    )
    assert codec.encode(payload, "sid") == record


async def test_two_cookies_are_taken_away_together(url: str) -> None:
    sessions = Sessions(secret=SECRET, token="koa-session", name="koa.sess")
    jar: dict[str, str] = {}
    await Browser(SessionMiddleware(handler(lambda session: session.update(n=1)), sessions), jar).get()
    assert list(jar) == ["koa.sess", "koa.sess.sig"]
    await Browser(SessionMiddleware(handler(lambda session: session.destroy()), sessions), jar).get()
    assert jar == {}


def test_koas_cookies_travel_in_no_header() -> None:
    with pytest.raises(InvalidOption, match="two cookies"):
        Sessions(secret=SECRET, token="koa-session", transport="header")
