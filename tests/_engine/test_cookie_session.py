"""Sessions in cookies, handed to and fro between the real cookie-session in Node and us."""

from __future__ import annotations

import asyncio
import json
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from copy import deepcopy
from pathlib import Path
from typing import Any

import httpx
import pytest

from sessile import Sessions
from sessile.asgi import SessionMiddleware
from tests.asgi import Browser, handler
from tests.conftest import SECRET, Clock

SCRIPT = Path(__file__).parents[1] / "node/cookie-session.js"
OLD_SECRET = "the secret before, long enough for tests"
DATA = {
    "2": "first",
    "name": "Zoë 漢字 😀",
    "n": 1,
    "pi": 3.5,
    "tiny": 1e-7,
    "nested": {"a": [1, [2, []], {}]},
    "none": None,
}


@contextmanager
def node(keys: list[str], **options: Any) -> Iterator[Node]:
    """A site in Node."""
    process = subprocess.Popen(
        ["node", SCRIPT, json.dumps({"name": "session", "keys": keys, **options})],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        port = process.stdout.readline().strip()
        with httpx.Client(base_url=f"http://127.0.0.1:{port}") as client:
            yield Node(client)
    finally:
        process.stdin.close()
        process.wait(10)
        process.stdout.close()


class Node:
    """A visit to the site in Node with a jar of cookies that both sites share."""

    def __init__(self, client: httpx.Client) -> None:
        self._client = client

    def visit(self, jar: dict[str, str], change: Any = "") -> Any:
        """Return what Node found in the session before it changed it."""
        self._client.cookies.clear()
        header = "; ".join(f"{name}={value}" for name, value in jar.items())
        text = "null" if change is None else json.dumps(change) if change else ""
        response = self._client.get("/", params={"change": text}, headers={"cookie": header} if header else {})
        for line in response.headers.get_list("set-cookie"):
            name, _, value = line.partition(";")[0].partition("=")
            if value and "expires=Thu, 01 Jan 1970" not in line:
                jar[name] = value
            else:
                jar.pop(name, None)
        return response.json()["found"]


class Ours:
    """The same site in Python."""

    def __init__(self, secret: str | list[str] = SECRET) -> None:
        self.events: list[str] = []
        self.sessions = Sessions(
            secret=secret,
            name="session",
            store="cookie://?form=cookie-session",
            clock=Clock(),
            on_event=lambda event: self.events.append(event.name),
        )

    def visit(self, jar: dict[str, str], work: Callable[[Any], Any] = lambda session: None) -> Any:
        """Return what was found before ``work`` changed it."""
        found: dict[str, Any] = {}

        def look(session: Any) -> None:
            found.update(deepcopy(session))
            work(session)

        asyncio.run(Browser(SessionMiddleware(handler(look), self.sessions), jar).get())
        return found


@pytest.fixture(scope="module")
def theirs() -> Iterator[Node]:
    with node([SECRET]) as site:
        yield site


def test_what_node_wrote_is_read_and_continued(theirs: Node) -> None:
    """To and fro three times, unicode and odd numbers and all."""
    jar: dict[str, str] = {}
    ours = Ours()
    theirs.visit(jar, DATA)
    assert ours.visit(jar, lambda session: session["nested"]["a"].append("python")) == DATA
    changed = {**DATA, "nested": {"a": [1, [2, []], {}, "python"]}}
    assert theirs.visit(jar, {"n": 2}) == changed
    assert ours.visit(jar) == {**changed, "n": 2}


def test_what_we_wrote_is_read_and_continued(theirs: Node) -> None:
    jar: dict[str, str] = {}
    ours = Ours()
    ours.visit(jar, lambda session: session.update(DATA))
    assert theirs.visit(jar, {"node": True}) == DATA
    assert ours.visit(jar) == {**DATA, "node": True}


def test_both_write_the_same_bytes(theirs: Node) -> None:
    """Value and signature, character for character."""
    from_node: dict[str, str] = {}
    from_us: dict[str, str] = {}
    theirs.visit(from_node, DATA)
    Ours().visit(from_us, lambda session: session.update(DATA))
    assert from_node == from_us


def test_looking_changes_nothing(theirs: Node) -> None:
    """What Node wrote does not look like a change here."""
    jar: dict[str, str] = {}
    theirs.visit(jar, DATA)
    before = dict(jar)
    Ours().visit(jar, lambda session: session["nested"]["a"][0])
    assert jar == before


def test_both_can_end_it(theirs: Node) -> None:
    jar: dict[str, str] = {}
    ours = Ours()
    ours.visit(jar, lambda session: session.update(n=1))
    ours.visit(jar, lambda session: session.destroy())
    assert jar == {}
    ours.visit(jar, lambda session: session.update(n=1))
    theirs.visit(jar, None)
    assert ours.visit(jar) == {}


def test_what_login_knows_goes_through_node_untouched(theirs: Node) -> None:
    jar: dict[str, str] = {}
    ours = Ours()
    ours.visit(jar, lambda session: session.login("ada"))
    theirs.visit(jar, {"n": 1})
    users: list[Any] = []
    ours.visit(jar, lambda session: users.append(session.user_id))
    assert users == ["ada"]


def test_keys_are_rotated_as_in_node() -> None:
    """What an older key signed is read by both, and signed anew with the first at the next visit."""
    with ExitStack() as stack:
        old = stack.enter_context(node([OLD_SECRET]))
        new = stack.enter_context(node([SECRET, OLD_SECRET]))
        jar: dict[str, str] = {}
        old.visit(jar, {"n": 1})
        by_node, by_us = dict(jar), dict(jar)
        assert new.visit(by_node) == {"n": 1}
        assert Ours([SECRET, OLD_SECRET]).visit(by_us) == {"n": 1}
        assert by_node == by_us != jar


def test_a_forged_cookie_is_no_session_for_either(theirs: Node) -> None:
    jar: dict[str, str] = {}
    theirs.visit(jar, {"n": 1})
    forged = {**jar, "session": "eyJuIjoyfQ=="}
    ours = Ours()
    assert ours.visit(dict(forged)) == {}
    assert theirs.visit(dict(forged)) == {}
    assert ours.events == ["bad_signature"]
