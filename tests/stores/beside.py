"""A site of Node and a site of ours, with one store: each finds what the other has left there."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from sessile import Sessions
from sessile.asgi import SessionMiddleware
from tests.asgi import Browser, Response, handler
from tests.conftest import SECRET

NODE = Path(__file__).parents[1] / "node"


@dataclass
class Node:
    """A site of express-session."""

    url: str

    def get(self, cookie: str | None, **query: str) -> tuple[Any, str | None]:
        """Make a request. Return the session as the handler left it, and the cookie that was set."""
        headers = {} if cookie is None else {"cookie": f"connect.sid={cookie}"}
        response = httpx.get(self.url, params=query, headers=headers, timeout=30)
        assert response.status_code == 200, response.text
        line = response.headers.get("set-cookie", "")
        return response.json(), line.partition(";")[0].removeprefix("connect.sid=") or None


@contextmanager
def node_site(script: str, *arguments: str) -> Iterator[Node]:
    """Run ``script`` as long as the block does."""
    command = ["node", str(NODE / script), *arguments]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        port = process.stdout.readline().strip()
        assert port, "run: npm install --prefix tests/node"
        yield Node(f"http://127.0.0.1:{port}/")
        process.communicate(timeout=30)


class Ours:
    """A site of sessile, and a browser that visits it."""

    def __init__(self, store: Any, **options: Any) -> None:
        self._work: Callable[[Any], Any] = dict
        self.seen: Any = None
        self.response = Response()
        self.jar: dict[str, str] = {}
        self.sessions = Sessions(secret=SECRET, store=store, **options)
        self._browser = Browser(SessionMiddleware(handler(self._handle), self.sessions), self.jar)

    def _handle(self, session: Any) -> None:
        self.seen = self._work(session)

    async def visit(self, work: Callable[[Any], Any] = dict) -> Any:
        """Make a request in which ``work`` has the session, and return what it returned."""
        self._work, self.seen = work, None
        self.response = await self._browser.get()
        return self.seen

    @property
    def cookie(self) -> str:
        return self.jar["connect.sid"]

    @cookie.setter
    def cookie(self, value: str | None) -> None:
        assert value is not None
        self.jar["connect.sid"] = value


def sid_of(cookie: str) -> str:
    """Return the id that a signed cookie carries."""
    return cookie.removeprefix("s%3A").partition(".")[0]


#: What every table can keep.
WORDS = {"name": "Zoë Ωmega 漢字 😀", "quote": '\\"}', "0": [1.5, None], "deep": {"a": [1, {"b": 2}]}}


async def change_in_turn(node: Node, store: Any) -> tuple[Ours, str]:
    """Change one session here and there in turn, begun here and then there. Return our side, and the id of the second."""
    # Begun here.
    ours = Ours(store)
    await ours.visit(lambda session: session.update(WORDS))
    seen, _ = node.get(ours.cookie)
    assert {key: seen[key] for key in WORDS} == WORDS
    node.get(ours.cookie, set='{"node":"Größe"}')
    assert (await ours.visit())["node"] == "Größe"
    await ours.visit(lambda session: session["deep"]["a"][1].update(b="python"))
    seen, _ = node.get(ours.cookie)
    assert seen["deep"] == {"a": [1, {"b": "python"}]}
    node.get(ours.cookie, destroy="")
    assert await ours.visit(lambda session: session.is_new) is True

    # Begun there.
    _, ours.cookie = node.get(None, set=json.dumps(WORDS), maxAge="60000")
    sid = sid_of(ours.cookie)
    record = store.load(sid)
    assert record.expires_at == pytest.approx(time.time() + 60, abs=5)
    assert await ours.visit() == WORDS
    assert store.load(sid).payload == record.payload, "nothing has changed, byte for byte"
    await ours.visit(lambda session: session["deep"].update(a="Bob"))
    seen, _ = node.get(ours.cookie)
    assert seen["deep"] == {"a": "Bob"}
    return ours, sid


async def end_here(node: Node, ours: Ours) -> None:
    """Begin a session there and end it here: then it is over there."""
    _, ours.cookie = node.get(None, set='{"n":1}')
    cookie = ours.cookie
    await ours.visit(lambda session: session.destroy())
    seen, _ = node.get(cookie)
    assert "n" not in seen


class BesideNode:
    """What a store proves beside the Node store whose records it shares. The module of a subclass has ``node``, ``ours``."""

    #: What both can keep.
    words: dict[str, Any] = {
        "name": "Zoë Ωmega 漢字 😀",
        "lone": "\ud800",
        "quote": "\\\"'}",
        "0": [1.5, None],
        "big": 2**53 - 1,
        "deep": {"a": [1, {"b": 2}]},
    }

    async def test_node_reads_what_we_created(self, node: Node, ours: Ours) -> None:
        """The same cookie, the same record; and we read what Node has made of it."""
        await ours.visit(lambda session: session.update(self.words))
        seen, _ = node.get(ours.cookie)
        assert {key: seen[key] for key in self.words} == self.words
        node.get(ours.cookie, set='{"node":"Größe"}')
        assert await ours.visit() == {**self.words, "node": "Größe"}
        await ours.visit(lambda session: (session.pop("name"), session["deep"]["a"][1].update(b=3)))
        seen, _ = node.get(ours.cookie)
        rest = {key: value for key, value in self.words.items() if key != "name"}
        assert {key: seen[key] for key in (*rest, "node")} == {**rest, "deep": {"a": [1, {"b": 3}]}, "node": "Größe"}
        assert "name" not in seen

    async def test_we_read_what_node_created(self, node: Node, ours: Ours) -> None:
        """And change it deep within, and Node reads that."""
        _, ours.cookie = node.get(None, set=json.dumps(self.words))
        assert await ours.visit(lambda session: (dict(session), session.is_new)) == (self.words, False)
        assert ours.response.cookie is None, "nothing has changed"
        await ours.visit(lambda session: session["deep"]["a"].append("ü"))
        seen, _ = node.get(ours.cookie)
        assert {key: seen[key] for key in self.words} == {**self.words, "deep": {"a": [1, {"b": 2}, "ü"]}}

    async def test_both_change_in_turn_and_nothing_is_lost(self, node: Node, ours: Ours) -> None:
        """The session goes to and fro."""
        await ours.visit(lambda session: session.update(turn=[]))
        for number in range(3):
            node.get(ours.cookie, set=json.dumps({f"node{number}": number}))
            await ours.visit(lambda session, number=number: session.update({f"python{number}": number}))
        expected = {f"{name}{number}": number for number in range(3) for name in ("node", "python")} | {"turn": []}
        assert await ours.visit() == expected
        seen, _ = node.get(ours.cookie)
        assert {key: seen[key] for key in expected} == expected

    async def test_what_one_ends_the_other_does_not_find(self, node: Node, ours: Ours) -> None:
        """Both ways."""
        _, ours.cookie = node.get(None, set='{"a":1}')
        cookie = ours.cookie
        assert await ours.visit(lambda session: (dict(session), session.destroy())[0]) == {"a": 1}
        seen, _ = node.get(cookie)
        assert list(seen) == ["cookie"]
        await ours.visit(lambda session: session.update(b=2))
        node.get(ours.cookie, destroy="")
        assert await ours.visit(lambda session: (dict(session), session.is_new)) == ({}, True)


def hand_to_and_fro(node: Node, visitor: Any, store: Any) -> None:
    """One session, changed here and there in turn, from either beginning to either end."""
    # Begun here.
    words = {"name": "Zoë Ωmega 漢字 😀", "lone": "\ud800", "quote": "\\\"'}", "0": [1.5, None], "cart": {"items": [1]}}
    visitor.visit(lambda session: session.update(words))
    cookie = visitor.jar["connect.sid"]
    seen, _ = node.get(cookie)
    assert {key: seen[key] for key in words} == words
    node.get(cookie, set='{"cart":{"items":[1,{"n":2}]},"node":"Größe"}')
    now = {**words, "cart": {"items": [1, {"n": 2}]}, "node": "Größe"}
    assert visitor.visit(dict).result == now
    visitor.visit(lambda session: session["cart"]["items"][1].update(n=3))
    seen, _ = node.get(cookie)
    assert seen["cart"] == {"items": [1, {"n": 3}]}
    node.get(cookie, destroy="")
    assert store.load(sid_of(cookie)) is None
    assert visitor.visit(lambda session: session.is_new).result is True

    # Begun there.
    _, cookie = node.get(None, set='{"user":{"name":"Zoë 😀","lone":"\\ud800"}}')
    assert cookie is not None
    sid = sid_of(cookie)
    visitor.jar["connect.sid"] = cookie
    before = store.load(sid).payload
    visit = visitor.visit(lambda session: (session["user"], session.is_new))
    assert visit.result == ({"name": "Zoë 😀", "lone": "\ud800"}, False)
    assert store.load(sid).payload == before, "nothing has changed, byte for byte"
    visitor.visit(lambda session: session["user"].update(name="Bob"))
    seen, _ = node.get(cookie)
    assert seen["user"] == {"name": "Bob", "lone": "\ud800"}

    # A touch moves the end, here and there, and nothing else.
    payload = store.load(sid).payload
    assert store.touch(sid, 60) is True
    assert store.load(sid).expires_at <= time.time() + 61
    node.get(cookie)
    assert abs(store.load(sid).expires_at - time.time() - 3600) < 30
    assert store.load(sid).payload == payload

    # A life that is over here is over there.
    assert store.touch(sid, 0) is True
    seen, _ = node.get(cookie)
    assert "user" not in seen
    assert store.touch(sid, 60) is False
    visitor.visit(lambda session: session.update(last=json.dumps(1)))
    cookie = visitor.jar["connect.sid"]
    visitor.visit(lambda session: session.destroy())
    seen, _ = node.get(cookie)
    assert list(seen) == ["cookie"]
