"""What a store has to prove beside the Node store whose table it shares: a site of each, one browser."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

SITE = Path(__file__).parents[1] / "node" / "database-store.js"


class Node:
    """A site of express-session."""

    def __init__(self, url: str) -> None:
        self.url = url

    def get(self, cookie: str | None, **query: str) -> tuple[Any, str | None]:
        """Make a request. Return the session as the handler left it, and the cookie that was set."""
        headers = {} if cookie is None else {"cookie": f"connect.sid={cookie}"}
        response = httpx.get(self.url, params=query, headers=headers)
        assert response.status_code == 200, response.text
        cookie_line = response.headers.get("set-cookie", "")
        return response.json(), cookie_line.partition(";")[0].removeprefix("connect.sid=") or None


@contextmanager
def node_site(kind: str, place: str) -> Iterator[Node]:
    command = ["node", str(SITE), kind, place]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        port = process.stdout.readline().strip()
        assert port, "run: npm install --prefix tests/node"
        yield Node(f"http://127.0.0.1:{port}/")
        process.communicate(timeout=30)


def sid_of(cookie: str) -> str:
    return cookie.removeprefix("s%3A").partition(".")[0]


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
