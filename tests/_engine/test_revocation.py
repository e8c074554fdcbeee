"""Nothing outlives its end: revocations that no log-in, rotation or renewal can overtake."""

from __future__ import annotations

import asyncio
import contextvars
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from sessile import Lifetime, LoginRefused, RequestFacts, Session, Sessions, StoreUnavailable
from sessile._engine.index import LIVES, key_of
from sessile._engine.users import MOST_SESSIONS, TOLERANCE
from sessile.asgi import SessionMiddleware
from sessile.stores.memory import MemoryStore
from tests.asgi import Browser, handler
from tests.conftest import SECRET, Clock

Work = Callable[[Session], Any]


class Meddling(MemoryStore):
    """A store that lets something happen before or after one of its calls."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock=clock)
        #: What happens before, and after, the next call of a verb: of the sessions, or of the index ("index.load").
        self.before: dict[str, Callable[[], Any]] = {}
        self.after: dict[str, Callable[[], Any]] = {}
        self.calls: list[str] = []
        self._room = _Room(self, clock)

    def index(self) -> Any:
        return self._room

    def around(self, name: str, verb: Callable[..., Any], *arguments: Any) -> Any:
        self.calls.append(name)
        happen = self.before.pop(name, None)
        if happen is not None:
            happen()
        answer = verb(*arguments)
        happen = self.after.pop(name, None)
        if happen is not None:
            happen()
        return answer

    def load(self, sid: str) -> Any:
        return self.around("load", super().load, sid)

    def create(self, sid: str, payload: bytes, ttl: float) -> Any:
        return self.around("create", super().create, sid, payload, ttl)

    def replace(self, sid: str, payload: bytes, ttl: float, expected: bytes) -> Any:
        return self.around("replace", super().replace, sid, payload, ttl, expected)

    def delete(self, sid: str) -> Any:
        return self.around("delete", super().delete, sid)


class _Room(MemoryStore):
    def __init__(self, outer: Meddling, clock: Clock) -> None:
        super().__init__(clock=clock)
        self._outer = outer

    def load(self, sid: str) -> Any:
        return self._outer.around("index.load", super().load, sid)

    def create(self, sid: str, payload: bytes, ttl: float) -> Any:
        return self._outer.around("index.create", super().create, sid, payload, ttl)

    def replace(self, sid: str, payload: bytes, ttl: float, expected: bytes) -> Any:
        return self._outer.around("index.replace", super().replace, sid, payload, ttl, expected)


class Servers:
    """Two processes that serve one site, and its visitors: each is a cookie."""

    def __init__(self, store: type[Meddling] = Meddling, **options: Any) -> None:
        self.clock = Clock()
        self.store = store(self.clock)
        self.events: list[str] = []
        self.here, self.there = (
            Sessions(
                secret=SECRET,
                store=self.store,
                clock=self.clock,
                on_event=lambda event: self.events.append(event.name),
                **{"ttl": 1000, **options},
            )
            for _ in range(2)
        )

    def visit(self, cookie: bytes, work: Work = lambda session: None, server: Sessions | None = None) -> bytes:
        """Serve a request, and return the cookie that the browser has then."""
        engine = (server or self.here).engine
        session = engine.begin_sync(cookie, RequestFacts)
        work(session)
        values = engine.commit_sync(session)
        return values[0].split(";")[0].encode() if values else cookie

    def user(self, cookie: bytes) -> str | int | None:
        return self.here.engine.begin_sync(cookie, RequestFacts).user_id

    def live(self) -> list[str | int | None]:
        return [session.user_id for session in self.here.all()]


def zoe(session: Session) -> None:
    session.login("zoe")
    session.index("tenant", 5)


def revoke_user(sessions: Sessions) -> int:
    return sessions.revoke_user("zoe")


def revoke_where(sessions: Sessions) -> int:
    return sessions.revoke_where("tenant", 5)


revocations = pytest.mark.parametrize("revoke", [revoke_user, revoke_where])
forms = pytest.mark.parametrize(
    "options",
    [{}, {"hash_ids": True}, {"conflict": "overwrite"}, {"lifetime": Lifetime(renew_every=100, renewal_grace=30)}],
    ids=["plain", "hashed ids", "overwrite", "renewals"],
)

#: Every way to a new id that proves nothing.
ROTATIONS: list[Work] = [
    lambda session: session.regenerate(keep=True),
    lambda session: session.regenerate(keep=True, grace=60),
    lambda session: session.update(n=2),  # With a Lifetime, by itself.
]

#: Where in the store calls of a request something else can happen.
MOMENTS = [
    (when, verb)
    for when in ("before", "after")
    for verb in ("load", "create", "replace", "delete", "index.load", "index.create", "index.replace")
]


# The mark -------------------------------------------------------------------------------------------------------------


@revocations
@forms
@pytest.mark.parametrize("rotate", ROTATIONS)
@pytest.mark.parametrize(("when", "verb"), MOMENTS)
def test_a_session_that_gets_a_new_id_meanwhile_is_ended(
    revoke: Any, options: Any, rotate: Work, when: str, verb: str
) -> None:
    """Whatever happens first: the rotation in the midst of the revocation, or the other way round."""
    servers = Servers(**options)
    jar = servers.visit(b"", zoe)
    servers.clock.advance(200)
    jars = [jar]
    getattr(servers.store, when)[verb] = lambda: jars.append(servers.visit(jar, rotate, servers.there))
    revoke(servers.here)
    assert [servers.user(each) for each in jars] == [None] * len(jars)
    assert "zoe" not in servers.live()

    servers = Servers(**options)
    jar = servers.visit(b"", zoe)
    servers.clock.advance(200)
    getattr(servers.store, when)[verb] = lambda: revoke(servers.there)
    after = servers.visit(jar, rotate)
    revoked = verb not in servers.store.before and verb not in servers.store.after
    assert [servers.user(each) for each in (jar, after)] == [None, None] or not revoked
    assert "zoe" not in servers.live() or not revoked


@revocations
@forms
@pytest.mark.parametrize(("when", "verb"), MOMENTS)
def test_a_log_in_under_way_is_ended_or_refused(revoke: Any, options: Any, when: str, verb: str) -> None:
    """At whatever point of its commit it is: entered or not, made or not."""
    servers = Servers(**options)
    servers.visit(b"", zoe)
    servers.clock.advance(10)
    getattr(servers.store, when)[verb] = lambda: revoke(servers.there)
    jar = b""
    try:
        jar = servers.visit(b"", zoe)
    except LoginRefused:
        assert "login_refused" in servers.events
    if verb not in servers.store.before and verb not in servers.store.after:
        assert servers.user(jar) is None
        assert "zoe" not in servers.live()


@revocations
def test_a_log_in_is_as_old_as_its_request(revoke: Any) -> None:
    """The password may have been checked before it was changed."""
    servers = Servers()
    late = servers.here.engine.begin_sync(b"", RequestFacts)
    servers.clock.advance(5)
    revoke(servers.there)
    servers.clock.advance(5)
    zoe(late)
    with pytest.raises(LoginRefused):
        servers.here.engine.commit_sync(late)
    assert servers.live() == []


@revocations
def test_clocks_may_differ(revoke: Any) -> None:
    """What is not plainly later is refused; a moment after that it is not."""
    servers = Servers()
    revoke(servers.there)
    with pytest.raises(LoginRefused):
        servers.visit(b"", zoe)
    servers.clock.advance(TOLERANCE)
    assert servers.user(servers.visit(b"", zoe)) == "zoe"


@revocations
def test_what_this_process_has_revoked_it_tells_exactly(revoke: Any) -> None:
    """A log-in that begins after a revocation in the same process is not refused, and may get new ids later."""
    servers = Servers()
    early = servers.here.engine.begin_sync(b"", RequestFacts)
    revoke(servers.here)
    jar = servers.visit(b"", zoe)
    jar = servers.visit(jar, lambda session: session.regenerate(keep=True), servers.there)
    assert servers.user(jar) == "zoe"
    zoe(early)
    with pytest.raises(LoginRefused):
        servers.here.engine.commit_sync(early)


def test_the_spared_session_goes_on_under_new_ids() -> None:
    servers = Servers()
    jar, stolen = servers.visit(b"", zoe), servers.visit(b"", zoe)
    here = servers.here.engine.begin_sync(jar, RequestFacts)
    assert servers.here.revoke_user("zoe", keep=here) == 1
    for _ in range(3):
        jar = servers.visit(jar, lambda session: session.regenerate(keep=True), servers.there)
    assert (servers.user(jar), servers.user(stolen)) == ("zoe", None)


@pytest.mark.parametrize("first", [True, False], ids=["logged in", "stranger"])
@pytest.mark.parametrize("keeps", [True, False])
async def test_a_log_in_after_its_own_revocation_is_spared(first: bool, keeps: bool) -> None:
    """``revoke_user(u); session.login(u)`` is how passwords are changed."""
    servers = Servers()
    jar: dict[str, str] = {}
    browser = Browser(SessionMiddleware(handler(lambda session: session.login("zoe")), servers.here), jar)
    other = servers.visit(b"", zoe)
    if first:
        await browser.get()

    async def change_password(session: Session) -> None:
        await servers.here.arevoke_user("zoe", keep=session if keeps else None)
        session.login("zoe")

    answer = await Browser(SessionMiddleware(handler(change_password), servers.here), jar).get()
    assert answer.status == 200
    who = await Browser(SessionMiddleware(handler(lambda session: session.user_id), servers.here), jar).get()
    assert who.body == b"'zoe'"
    assert servers.user(other) is None


async def test_a_refused_log_in_is_answered_with_503() -> None:
    """The user was revoked between the proof and the commit. A second try proves it anew, and comes through."""
    servers = Servers()
    revocations = ["one"]

    async def log_in(session: Session) -> None:
        session.login("zoe")
        if revocations:
            revocations.pop()
            servers.clock.advance(3)
            # Another request asks for it: the one that asks itself goes on.
            await asyncio.create_task(servers.there.arevoke_user("zoe"), context=contextvars.Context())

    jar: dict[str, str] = {}
    answer = await Browser(SessionMiddleware(handler(log_in), servers.here), jar).get()
    assert (answer.status, jar) == (503, {})
    assert servers.live() == []
    assert issubclass(LoginRefused, StoreUnavailable)
    servers.clock.advance(5)
    answer = await Browser(SessionMiddleware(handler(log_in), servers.here), jar).get()
    assert answer.status == 200
    assert servers.live() == ["zoe"]


def test_a_mark_outlives_every_session() -> None:
    """Also one that has a longer life than the options say."""
    servers = Servers()
    servers.here.revoke_user("zoe")
    (record,) = [record for _, record in servers.store.index().all()]
    assert record.expires_at >= servers.clock() + 400 * 86_400
    remembered = Servers(lifetime=Lifetime(remember=timedelta(days=1000)))
    remembered.here.revoke_user("zoe")
    (record,) = [record for _, record in remembered.store.index().all()]
    assert record.expires_at >= remembered.clock() + 1000 * 86_400


def test_a_mark_stays_when_the_last_entry_leaves() -> None:
    servers = Servers()
    jar = servers.visit(b"", zoe)
    servers.here.revoke_user("zoe")
    servers.clock.advance(5)
    jar = servers.visit(b"", zoe)
    servers.visit(jar, lambda session: session.logout())
    assert page(servers, "user", "zoe")["revoked"]["at"] == servers.clock() - 5


def page(servers: Servers, name: str, value: str | int) -> Any:
    record = servers.here.engine.setup.index_of(servers.store).load(key_of(name, value))
    return json.loads(record.payload)


def test_fields_of_another_version_stay() -> None:
    """Two versions of sessile serve one site while a new one is deployed."""
    servers = Servers()
    newer = b'{"v":2,"sessions":{},"later":[1]}'
    servers.here.engine.setup.index_of(servers.store).create(key_of("user", "zoe"), newer, 1000)
    servers.visit(b"", zoe)
    found = page(servers, "user", "zoe")
    assert (found["v"], found["later"], len(found["sessions"])) == (2, [1], 1)


# A store that is full -------------------------------------------------------------------------------------------------


@revocations
def test_a_store_that_takes_no_mark_deletes_all_the_same(revoke: Any) -> None:
    """And the event says that a log-in under way may come through."""
    servers = Servers()
    jars = [servers.visit(b"", zoe) for _ in range(3)]

    def full(*_: Any) -> Any:
        raise StoreUnavailable("no room")

    index = servers.store.index()
    index.replace = index.create = servers.store.replace = servers.store.create = full  # type: ignore[method-assign]
    assert revoke(servers.here) == 3
    assert [servers.user(jar) for jar in jars] == [None] * 3
    assert "revocation_incomplete" in servers.events


def test_a_log_out_needs_no_room() -> None:
    servers = Servers()
    jar = servers.visit(b"", zoe)

    def full(*_: Any) -> Any:
        raise StoreUnavailable("no room")

    servers.store.replace = servers.store.create = full  # type: ignore[method-assign]
    servers.visit(jar, lambda session: session.logout())
    assert servers.user(jar) is None


def test_a_lost_answer_to_the_mark_is_no_refusal() -> None:
    servers = Servers()
    servers.visit(b"", zoe)

    def lost() -> None:
        raise StoreUnavailable("timed out")

    servers.store.after["index.replace"] = lost
    assert servers.here.revoke_user("zoe") == 1
    assert "revocation_incomplete" not in servers.events


# The bound ------------------------------------------------------------------------------------------------------------


def test_a_page_keeps_what_may_live_and_no_more() -> None:
    servers = Servers(ttl=60)
    for _ in range(50):
        servers.visit(b"", zoe)
        servers.clock.advance(61)
    assert len(page(servers, "user", "zoe")["sessions"]) <= LIVES + 1


def test_a_user_has_a_bounded_number_of_sessions(monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest end, for a session that no page names could not be revoked."""
    monkeypatch.setattr("sessile._engine.users.MOST_SESSIONS", 5)
    assert MOST_SESSIONS == 1000
    servers = Servers()
    jars = []
    for _ in range(8):
        servers.clock.advance(1)
        jars.append(servers.visit(b"", zoe))
    assert [servers.user(jar) for jar in jars] == [None] * 3 + ["zoe"] * 5
    assert len(page(servers, "user", "zoe")["sessions"]) == 5


def test_a_revocation_ends_as_it_goes() -> None:
    """It does not load all there is before it ends the first."""
    servers = Servers()
    for _ in range(20):
        servers.visit(b"", zoe)
    servers.store.calls.clear()
    servers.here.revoke_user("zoe")
    assert servers.store.calls[:6] == ["index.load", "index.replace", "replace", "replace", "delete", "replace"]


def test_a_log_in_costs_three_round_trips() -> None:
    """The page is read and written, the record is made. A second look is not needed.

    The first of a user costs one more: the page might stand under the key that it has without a secret (index.py).
    """
    servers = Servers()
    servers.visit(b"", lambda session: session.login("zoe"))
    assert servers.store.calls == ["index.load", "index.load", "index.create", "create"]
    servers.store.calls.clear()
    servers.visit(b"", lambda session: session.login("zoe"))
    assert servers.store.calls == ["index.load", "index.replace", "create"]


# The limit ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("when", "verb"), MOMENTS)
def test_two_log_ins_at_once_keep_the_limit(when: str, verb: str) -> None:
    """What is entered counts, though its record is not there yet."""
    servers = Servers(max_sessions_per_user=1)
    jars = [servers.visit(b"", lambda session: session.login("zoe"))]
    servers.clock.advance(1)

    def log_in() -> None:
        jars.append(servers.visit(b"", lambda session: session.login("zoe"), servers.there))

    getattr(servers.store, when)[verb] = log_in
    jars.append(servers.visit(b"", lambda session: session.login("zoe")))
    assert servers.live() == ["zoe"]
    assert [servers.user(jar) for jar in jars].count("zoe") == 1


@pytest.mark.parametrize("elsewhere", [False, True])
def test_a_log_in_is_not_spared_because_the_same_browser_changed_the_password(elsewhere: bool) -> None:
    """Both requests brought one cookie, and so have one name; this one has checked the password of before."""
    servers = Servers()
    old = servers.visit(b"", zoe)
    servers.clock.advance(10)
    jars: list[bytes] = []
    server = servers.there if elsewhere else servers.here

    def change(session: Session) -> None:
        server.revoke_user("zoe", keep=session)
        session.login("zoe", keep=False)

    def work(session: Session) -> None:
        jars.append(servers.visit(old, change, server))
        session.login("zoe", keep=False)

    with pytest.raises(LoginRefused):
        servers.visit(old, work)
    assert servers.user(jars[0]) == "zoe"
    assert servers.live() == ["zoe"]


@pytest.mark.parametrize("rotate", ROTATIONS[:2])
def test_a_session_that_was_one_too_many_ends_no_other_by_a_new_id(rotate: Work) -> None:
    """It was ended while its request was under way, and that gives it a new id: the log-in which ended it stays."""
    servers = Servers(max_sessions_per_user=1)
    old = servers.visit(b"", zoe)
    servers.clock.advance(1)
    jars: list[bytes] = []

    def work(session: Session) -> None:
        jars.append(servers.visit(b"", zoe, servers.there))
        rotate(session)

    servers.visit(old, work)
    assert servers.user(old) is None
    assert servers.user(jars[0]) == "zoe"


def test_a_handle_stays_when_the_id_changes() -> None:
    """So the form of a page "your devices" does not go stale."""
    servers = Servers()
    jar = servers.visit(b"", zoe)
    (before,) = servers.here.of_user("zoe")
    for work in (*ROTATIONS[:2], zoe, lambda session: session.reauthenticated()):
        jar = servers.visit(jar, work)
    (after,) = servers.here.of_user("zoe")
    assert after.handle == before.handle
    assert after.handle not in jar.decode()
    assert after.revoke() is True
