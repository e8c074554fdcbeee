"""Several requests of one visitor, interleaved at random, against a model simple enough to be believed.

The model: a session is a dict; a commit applies to the stored dict what the request changed; what is gone stays gone;
a browser has the last cookie that it was sent.
"""

from __future__ import annotations

import json
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule

from sessile import CookieOptions, RequestFacts, Session, Sessions
from sessile._session.watched import state_of
from sessile.stores.memory import MemoryStore
from tests.conftest import SECRET, Clock

KEYS = st.sampled_from(["a", "b", "c"])
VALUES = st.one_of(st.integers(0, 3), st.booleans(), st.lists(st.integers(0, 2), max_size=2))


class Request:
    """One request at work: the real session, and what the model knows of it."""

    def __init__(self, session: Session, sid: str | None, base: dict[str, Any]) -> None:
        self.session = session
        self.sid = sid
        self.base = base
        self.mine = dict(base)
        self.intent = "keep"
        self.kept: list[str] | bool = False


def text(value: Any) -> str:
    return json.dumps(value)


def applied(base: dict[str, Any], mine: dict[str, Any], theirs: dict[str, Any]) -> dict[str, Any]:
    """What the model thinks a merge is."""
    result = dict(theirs)
    for key in base.keys() | mine.keys():
        if text(base.get(key, "absent")) == text(mine.get(key, "absent")):
            continue
        if key in mine:
            result[key] = mine[key]
        else:
            result.pop(key, None)
    return result


class Life(RuleBasedStateMachine):
    """Browsers, requests in flight, a clock, and an administrator who revokes."""

    requests = Bundle("requests")
    ttl = 100.0

    def __init__(self) -> None:
        super().__init__()
        self.clock = Clock()
        self.store = MemoryStore(clock=self.clock)
        self.sessions = Sessions(
            secret=SECRET, store=self.store, clock=self.clock, cookie=CookieOptions(max_age=self.ttl)
        )
        self.model: dict[str, dict[str, Any]] = {}
        self.ends: dict[str, float] = {}
        self.dead: set[str] = set()
        self.jar: dict[str, str | None] = {"one": None, "two": None}

    def alive(self, sid: str | None) -> bool:
        return sid is not None and sid in self.model and self.ends[sid] > self.clock.now

    def kill(self, sid: str) -> None:
        self.model.pop(sid, None)
        self.ends.pop(sid, None)
        self.dead.add(sid)

    @rule(target=requests, browser=st.sampled_from(["one", "two"]))
    def begin(self, browser: str) -> Any:
        cookie = self.jar[browser]
        session = self.sessions.engine.begin_sync(f"connect.sid={cookie}".encode() if cookie else b"", RequestFacts)
        sid = state_of(session).loaded
        claimed = (
            self.sessions.engine.setup.transport.read(f"connect.sid={cookie}".encode()).sids[0] if cookie else None
        )
        if self.alive(claimed):
            assert sid == claimed
            assert dict(session) == self.model[claimed or ""]
            return browser, Request(session, sid, json.loads(text(self.model[claimed or ""])))
        assert sid is None, "a session came back from the dead"
        assert dict(session) == {}
        return browser, Request(session, None, {})

    @rule(request=requests, key=KEYS, value=VALUES)
    def put(self, request: Any, key: str, value: Any) -> None:
        _, request = request
        if request.intent != "destroy":
            request.session[key] = value
            request.mine[key] = value

    @rule(request=requests, key=KEYS)
    def remove(self, request: Any, key: str) -> None:
        _, request = request
        if request.intent != "destroy":
            request.session.pop(key, None)
            request.mine.pop(key, None)

    @rule(request=requests, key=KEYS)
    def append(self, request: Any, key: str) -> None:
        """A nested change, which no flag announces."""
        _, request = request
        value = request.mine.get(key)
        if request.intent != "destroy" and isinstance(value, list):
            grown = [*value, 7]
            request.session[key].append(7)
            request.mine[key] = grown

    @rule(request=requests, keep=st.one_of(st.booleans(), st.lists(KEYS, unique=True)))
    def regenerate(self, request: Any, keep: Any) -> None:
        _, request = request
        request.session.regenerate(keep=keep)
        request.mine = {key: value for key, value in request.mine.items() if keep is True or (keep and key in keep)}
        if request.intent == "destroy":
            request.mine = {}
        if request.intent == "regenerate" and not request.kept:
            keep = False  # Of what is stored nothing lives on: it was given up before.
        if request.intent != "regenerate" or keep is not True:
            request.kept = keep
        request.intent = "regenerate"

    @rule(request=requests)
    def destroy(self, request: Any) -> None:
        _, request = request
        request.session.destroy()
        request.mine = {}
        request.intent = "destroy"

    @rule(seconds=st.sampled_from([1, 50, 99, 100]))
    def wait(self, seconds: int) -> None:
        self.clock.advance(seconds)
        for sid in [sid for sid in self.model if not self.alive(sid)]:
            self.kill(sid)

    @rule(browser=st.sampled_from(["one", "two"]))
    def revoke(self, browser: str) -> None:
        cookie = self.jar[browser]
        if cookie:
            (sid,) = self.sessions.engine.setup.transport.read(f"connect.sid={cookie}".encode()).sids
            assert self.sessions.revoke(sid) is self.alive(sid)
            self.kill(sid)

    @rule(request=consumes(requests))
    def commit(self, request: Any) -> None:
        browser, request = request
        session: Session = request.session
        cookie = next(iter(self.sessions.engine.commit_sync(session)), None)
        expected = self.expect(request, session)
        if expected is None:
            assert cookie is None, "a late response touched the browser's cookie"
        elif expected == "expire":
            assert cookie is not None
            assert "Max-Age=0" in cookie
            self.jar[browser] = None
        elif cookie is not None:
            self.jar[browser] = cookie.split(";")[0].split("=", 1)[1]
        if expected == "send":
            assert cookie is not None

    def expect(self, request: Request, session: Session) -> str | None:
        """Apply the commit to the model. Return what the browser must get: None, "send" or "expire"."""
        old = request.sid
        if request.intent == "destroy":
            if old is None or not self.alive(old):
                return None
            self.kill(old)
            return "expire"
        if request.intent == "regenerate":
            return self.expect_rotation(request, session)
        if old is None:
            if not request.mine:
                return None
            self.born(session.id, request.mine)
            return "send"
        if not self.alive(old):
            return None
        self.ends[old] = self.clock.now + self.ttl
        if text(request.mine) == text(request.base):
            return None
        self.model[old] = applied(request.base, request.mine, self.model[old])
        return "send"

    def expect_rotation(self, request: Request, session: Session) -> str | None:
        old = request.sid
        keeps = request.kept is True or bool(request.kept)
        if old is not None and keeps and not self.alive(old):
            return None
        data = request.mine
        if old is not None:
            if keeps:
                names = None if request.kept is True else set(request.kept)  # type: ignore[arg-type]
                theirs = {key: v for key, v in self.model[old].items() if names is None or key in names}
                base = {key: v for key, v in request.base.items() if names is None or key in names}
                data = applied(base, request.mine, theirs)
            self.kill(old)
        self.born(session.id, data)
        return "send"

    def born(self, sid: str, data: dict[str, Any]) -> None:
        assert sid not in self.dead, "an id was used twice"
        self.model[sid] = dict(data)
        self.ends[sid] = self.clock.now + self.ttl

    @invariant()
    def the_store_holds_what_the_model_holds(self) -> None:
        stored = {}
        for sid, record in self.store.all():
            data = json.loads(record.payload)
            data.pop("cookie")
            stored[sid] = data
            assert record.expires_at == self.ends[sid]
        assert {sid: sorted(map(text, data.items())) for sid, data in stored.items()} == {
            sid: sorted(map(text, data.items())) for sid, data in self.model.items()
        }


class TestLife(Life.TestCase):
    """The store and the browser are as the model says after every step."""

    settings = settings(max_examples=100, stateful_step_count=30, deadline=None)
