"""A session gets a new id: the old one is dead, at once or after a time of grace, and a logout finds it all the same."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sessile import CookieOptions, Record, Session, SessionConflict, Sessions
from sessile._records.tombstone import TOMBSTONE, Tombstone, bury, found_in
from sessile.asgi import SessionMiddleware
from sessile.codecs import Msgpack
from sessile.stores.base import Conflict, Replaced
from sessile.stores.memory import MemoryStore
from tests.asgi import Browser, Response, handler
from tests.conftest import SECRET, Clock


class Interrupted(MemoryStore):
    """The memory store; something can happen just before a verb."""

    def __init__(self, clock: Any) -> None:
        super().__init__(clock=clock)
        self.before: dict[str, Callable[[], Any]] = {}
        self.calls: list[str] = []

    def _meanwhile(self, verb: str) -> None:
        self.calls.append(verb)
        happening = self.before.pop(verb, None)
        if happening is not None:
            happening()

    def load(self, sid: str) -> Record | None:
        self._meanwhile("load")
        return super().load(sid)

    def create(self, sid: str, payload: bytes, ttl: float) -> bool:
        self._meanwhile("create")
        return super().create(sid, payload, ttl)

    def replace(self, sid: str, payload: bytes, ttl: float, expected: bytes) -> Any:
        self._meanwhile("replace")
        return super().replace(sid, payload, ttl, expected)

    def delete(self, sid: str) -> bool:
        self._meanwhile("delete")
        return super().delete(sid)


class Site:
    def __init__(self, **options: Any) -> None:
        self.clock = Clock()
        self.store = Interrupted(self.clock)
        self.events: list[str] = []
        self.sessions = Sessions(
            secret=SECRET,
            store=self.store,
            clock=self.clock,
            on_event=lambda event: self.events.append(event.name),
            **options,
        )

    async def visit(self, jar: dict[str, str], work: Callable[[Session], Any] = dict) -> Response:
        """Make a request with the cookies of ``jar``, which then gets those of the response."""
        self.events.clear()
        return await Browser(SessionMiddleware(handler(work), self.sessions), jar).get()

    async def visitor(self, **data: Any) -> dict[str, str]:
        """Return the cookies of somebody who has a session with ``data`` in it."""
        jar: dict[str, str] = {}
        await self.visit(jar, lambda session: session.update(data or {"n": 1}))
        self.store.calls.clear()
        return jar

    def live(self) -> list[dict[str, Any]]:
        """Return what live sessions hold, without their cookies."""
        return [dict(dict.items(session)) for session in self.sessions.all()]


@pytest.fixture
def site() -> Site:
    return Site()


def renew(grace: float = 10) -> Callable[[Session], None]:
    return lambda session: session.regenerate(keep=True, grace=grace)


# A time of grace ------------------------------------------------------------------------------------------------------


async def test_for_a_time_the_old_token_gets_the_session_under_its_new_id(site: Site) -> None:
    """express-session 923: a page with several requests in flight, of which one renews the id."""
    jar = await site.visitor(cart=["rope"])
    old = dict(jar)
    await site.visit(jar, renew(10))
    assert jar != old
    seen: list[str] = []
    for cookies in (jar, old):
        site.clock.advance(4.5)
        response = await site.visit(dict(cookies), lambda session: (seen.append(session.id), dict(session))[1])
        assert response.body == b"{'cart': ['rope']}"
    assert seen[0] == seen[1]


async def test_once_it_is_over_the_old_token_is_dead_and_its_use_is_told(site: Site) -> None:
    jar = await site.visitor()
    old = dict(jar)
    await site.visit(jar, renew(10))
    site.clock.advance(10)
    assert (await site.visit(dict(old))).body == b"{}"
    assert site.events == ["replayed"]
    site.clock.advance(86_000)  # As long as the session could have lived.
    assert (await site.visit(dict(old))).body == b"{}"
    assert site.events == ["replayed"]
    site.clock.advance(400)
    assert (await site.visit(dict(old))).body == b"{}"
    assert site.events == ["unknown_id"]


async def test_without_it_the_old_token_is_dead_at_once_and_no_record_is_left(site: Site) -> None:
    jar = await site.visitor()
    old = dict(jar)
    await site.visit(jar, lambda session: session.regenerate(keep=True))
    assert site.store.count() == 1
    assert (await site.visit(dict(old))).body == b"{}"
    assert site.events == ["unknown_id"]
    assert (await site.visit(jar)).body == b"{'n': 1}"


@pytest.mark.parametrize("options", [{}, {"rolling": True}, {"cookie": CookieOptions(max_age=1000)}])
@pytest.mark.parametrize(
    "work", [dict, lambda session: session.update(n=2), lambda session: session.touch()], ids=["look", "set", "touch"]
)
async def test_whoever_comes_by_the_old_token_is_not_given_the_new_one(options: Any, work: Any) -> None:
    site = Site(**options)
    jar = await site.visitor()
    old = dict(jar)
    await site.visit(jar, renew())
    response = await site.visit(dict(old), work)
    assert response.cookie is None


async def test_a_login_leaves_no_grace(site: Site) -> None:
    """Whoever planted the anonymous id would be logged in for that time (OWASP: session fixation)."""
    jar = await site.visitor()
    old = dict(jar)

    def log_in(session: Session) -> None:
        session.regenerate(keep=True, grace=10)
        session.login("zoe")

    await site.visit(jar, log_in)
    assert (await site.visit(dict(old))).body == b"{}"


@pytest.mark.parametrize("grace", [-1, 301, "10", True, None, float("nan")])
def test_what_is_no_time_of_grace(site: Site, grace: Any) -> None:
    session = site.sessions.engine.blank()
    with pytest.raises(ValueError, match="0 to 300"):
        session.regenerate(grace=grace)


async def test_the_sessions_are_not_counted_twice(site: Site) -> None:
    await site.visit(await site.visitor(), renew())
    assert site.live() == [{"n": 1}]


async def test_ids_that_were_renewed_twice_lead_to_the_session(site: Site) -> None:
    jar = await site.visitor()
    oldest = dict(jar)
    for _ in range(3):
        await site.visit(jar, renew())
    assert (await site.visit(dict(oldest))).body == b"{'n': 1}"
    for _ in range(3):
        await site.visit(jar, renew())
    # More often than a page that behaves well would.
    assert (await site.visit(dict(oldest))).body == b"{}"


# Requests in flight ---------------------------------------------------------------------------------------------------


async def in_flight(site: Site, jar: dict[str, str], work: Callable[[Session], Any], meanwhile: Any) -> Response:
    """Make a request with the cookies of ``jar`` as they are; ``meanwhile`` comes when it has loaded its session."""

    async def slow(session: Session) -> Any:
        await meanwhile()
        result = work(session)
        return await result if hasattr(result, "__await__") else result

    return await site.visit(dict(jar), slow)


@pytest.mark.parametrize("keep", [True, ["n"], ()])
async def test_a_write_in_flight_is_kept(site: Site, keep: Any) -> None:
    """It began under the old id, and what it changes is found under the new one."""
    jar = await site.visitor()

    async def meanwhile() -> None:
        await site.visit(jar, lambda session: session.regenerate(keep=keep, grace=10))

    response = await in_flight(site, jar, lambda session: session.update(late=True), meanwhile)
    assert response.cookie is None
    kept = {"n": 1} if keep else {}
    assert (await site.visit(jar)).body == repr({**kept, "late": True}).encode()


async def test_and_dropped_without_grace(site: Site) -> None:
    jar = await site.visitor()

    async def meanwhile() -> None:
        await site.visit(jar, renew(0))

    await in_flight(site, jar, lambda session: session.update(late=True), meanwhile)
    assert (await site.visit(jar)).body == b"{'n': 1}"


@pytest.mark.parametrize("grace", [0, 10])
async def test_what_others_wrote_before_is_taken_along(site: Site, grace: float) -> None:
    jar = await site.visitor()

    async def meanwhile() -> None:
        await site.visit(dict(jar), lambda session: session.update(early=True))

    async def renewing(session: Session) -> None:
        await meanwhile()
        session["mine"] = True
        session.regenerate(keep=True, grace=grace)

    await site.visit(jar, renewing)
    assert (await site.visit(jar)).body == b"{'n': 1, 'early': True, 'mine': True}"


@pytest.mark.parametrize("verb", ["save", "incr", "pop_once", "reload", "transaction"])
async def test_whatever_asks_at_once_is_sent_on(site: Site, verb: str) -> None:
    jar = await site.visitor()

    async def meanwhile() -> None:
        await site.visit(jar, renew())

    async def work(session: Session) -> None:
        if verb == "save":
            session["n"] = 2
            assert await session.asave() is True
        elif verb == "incr":
            assert await session.aincr("n") == 2
        elif verb == "pop_once":
            assert await session.apop_once("n") == 1
        elif verb == "reload":
            await session.areload()
            session["n"] = 2
        else:
            async with session.transaction():
                session["n"] += 1

    response = await in_flight(site, jar, work, meanwhile)
    assert response.cookie is None
    assert (await site.visit(jar)).body == (b"{}" if verb == "pop_once" else b"{'n': 2}")


async def test_two_renewals_at_once_end_in_one_session(site: Site) -> None:
    jar = await site.visitor()
    first = dict(jar)

    async def meanwhile() -> None:
        await site.visit(first, renew())

    async def both(session: Session) -> None:
        await meanwhile()
        session["second"] = True
        session.regenerate(keep=True, grace=10)

    second = dict(jar)
    await site.visit(second, both)
    assert site.live() == [{"n": 1, "second": True}]
    for cookies in (jar, first, second):
        assert (await site.visit(dict(cookies))).body == b"{'n': 1, 'second': True}"


@pytest.mark.parametrize("grace", [0, 10])
@pytest.mark.parametrize("verb", ["create", "replace"])
async def test_a_logout_between_the_steps_of_a_renewal(site: Site, grace: float, verb: str) -> None:
    """It comes first: there is no session, and no record that nobody can name."""
    jar = await site.visitor()
    sid = next(sid for sid, _ in site.store.all())
    old = dict(jar)

    async def renewing(session: Session) -> None:
        session.regenerate(keep=True, grace=grace)
        site.store.before[verb] = lambda: MemoryStore.delete(site.store, sid)

    response = await site.visit(jar, renewing)
    assert response.cookie is None
    assert site.store.count() == 0
    for cookies in (jar, old):
        assert (await site.visit(dict(cookies))).body == b"{}"


async def test_what_was_written_before_is_there_for_whoever_is_sent_on(site: Site) -> None:
    """The new record is complete before the tombstone leads to it: nobody sees an older session than before."""
    jar = await site.visitor()
    seen: list[dict[str, Any]] = []

    class Looking(Interrupted):
        def replace(self, sid: str, payload: bytes, ttl: float, expected: bytes) -> Any:
            answer = super().replace(sid, payload, ttl, expected)
            stone = found_in(sid, payload)
            if stone is not None and isinstance(answer, Replaced):
                record = MemoryStore.load(self, stone.successor)
                assert record is not None
                seen.append(json.loads(record.payload))
            return answer

    async def renewing(session: Session) -> None:
        await site.visit(dict(jar), lambda other: other.update(before=True))
        session["mine"] = True
        session.regenerate(keep=True, grace=10)
        site.store.__class__ = Looking

    await site.visit(jar, renewing)
    assert [(each["n"], each["before"], each["mine"]) for each in seen] == [(1, True, True)]


@pytest.mark.parametrize("grace", [0, 10])
@pytest.mark.parametrize("how", ["destroy", "logout", "null", "regenerate"])
async def test_a_logout_in_flight_ends_the_session_under_its_new_id(how: str, grace: float) -> None:
    """Never does a renewal that came in between undo it."""
    site = Site(unset="destroy")
    jar = await site.visitor()
    old = dict(jar)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await site.visit(jar, renew(grace))
        if how == "null":
            scope["session"] = None
        else:
            getattr(scope["session"], how)()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    await Browser(SessionMiddleware(app, site.sessions), dict(old)).get()
    for cookies in (jar, old):
        assert (await site.visit(dict(cookies))).body == b"{}"
    assert {"n": 1} not in site.live()


@pytest.mark.parametrize("grace", [0, 10])
async def test_to_revoke_an_old_id_ends_the_session(site: Site, grace: float) -> None:
    jar = await site.visitor()
    (old,) = [sid for sid, _ in site.store.all()]
    await site.visit(jar, renew(grace))
    assert await site.sessions.arevoke(old) is True
    assert (await site.visit(dict(jar))).body == b"{}"
    assert await site.sessions.arevoke(old) is False


async def test_a_renewal_that_fails_leaves_no_record_behind() -> None:
    site = Site(conflict="error")
    jar = await site.visitor()

    async def renewing(session: Session) -> None:
        other = await site.sessions.aopen(session.id)
        other["theirs"] = 1
        await other.asave()
        session.regenerate(keep=True, grace=10)

    with pytest.raises(Exception, match="another request"):
        await site.visit(jar, renewing)
    assert site.live() == [{"n": 1, "theirs": 1}]


# Tombstones -----------------------------------------------------------------------------------------------------------


async def test_the_store_learns_no_id_from_them() -> None:
    """With hashed ids, whoever reads the store knows nobody's id; so a tombstone must not say it."""
    site = Site(hash_ids=True, codec=Msgpack())
    jar = await site.visitor()
    old = dict(jar)
    ids: list[str] = []
    await site.visit(jar, renew())
    await site.visit(jar, lambda session: ids.append(session.id))
    for _, record in site.store.all():
        assert ids[0].encode() not in record.payload
    assert (await site.visit(dict(old))).body == b"{'n': 1}"


def test_it_gives_its_successor_to_those_who_know_the_id() -> None:
    stone = bury("old", "the new id", 100.0)
    assert found_in("old", stone) == Tombstone("the new id", 100.0)
    assert found_in("other", stone) != Tombstone("the new id", 100.0)
    assert found_in("any", TOMBSTONE) == Tombstone("", None)
    assert found_in("any", b'{"cookie":{},"n":1}') is None


@given(st.text(), st.recursive(st.none() | st.booleans() | st.floats() | st.text(), st.lists))
def test_whatever_stands_in_one_is_no_error(sid: str, value: Any) -> None:
    payload = json.dumps({"sessile": {"rotated": value, "until": value}}).encode()
    assert found_in(sid, payload) is None or isinstance(found_in(sid, payload), Tombstone)


async def test_a_tombstone_that_leads_in_a_circle_is_no_session(site: Site) -> None:
    jar = await site.visitor()
    (sid,) = [sid for sid, _ in site.store.all()]
    record = MemoryStore.load(site.store, sid)
    assert record is not None
    MemoryStore.replace(site.store, sid, bury(sid, sid, site.clock() + 100), 100, record.payload)
    assert (await site.visit(dict(jar))).body == b"{}"
    await site.sessions.arevoke(sid)
    assert site.store.count() == 0


async def test_a_logout_comes_through_however_fast_others_are(site: Site) -> None:
    jar = await site.visitor()

    class Busy(Interrupted):
        def replace(self, sid: str, payload: bytes, ttl: float, expected: bytes) -> Any:
            return Conflict(b'{"others":"are faster"}')

    site.store.__class__ = Busy
    await site.visit(jar, lambda session: session.logout())
    assert site.store.count() == 0


@pytest.mark.parametrize(
    ("work", "life"),
    [
        (lambda session: session.regenerate(keep=True), 1000),
        (lambda session: session.regenerate(keep=["n"]), 100),
        (lambda session: session.login("zoe"), 100),
    ],
    ids=["all kept", "some kept", "login"],
)
async def test_how_long_the_session_lives_under_its_new_id(work: Any, life: float) -> None:
    """A renewal is none of the visitor's business; a log-in begins with what the options say."""
    site = Site(cookie=CookieOptions(max_age=100))
    jar = await site.visitor()

    def remember(session: Session) -> None:
        session.cookie.max_age = 1000

    await site.visit(jar, remember)
    site.clock.advance(10)
    response = await site.visit(jar, work)
    assert f"Max-Age={life};" in (response.cookie or "")
    (record,) = [record for _, record in site.store.all()]
    assert record.expires_at == site.clock() + life


async def test_a_room_that_we_must_not_enter_keeps_nobody_from_logging_in() -> None:
    """A role of a database may not make tables, an access list of Redis may know the sessions' keys only."""

    class Forbidden(Interrupted):
        def index(self) -> Any:
            class Room(MemoryStore):
                def create(self, sid: str, payload: bytes, ttl: float) -> bool:
                    raise PermissionError("permission denied for schema public")

                def load(self, sid: str) -> Record | None:
                    raise PermissionError("permission denied for schema public")

            return Room()

    site = Site(index_users=False)
    jar = await site.visitor()
    old = dict(jar)
    site.store.__class__ = Forbidden
    await site.visit(jar, lambda session: session.login("zoe"))
    assert (await site.visit(jar, lambda session: session.user_id)).body == b"'zoe'"
    await site.visit(dict(old), lambda session: session.logout())
    await site.visit(jar, lambda session: session.logout())
    assert site.live() == []


@pytest.mark.parametrize("grace", [0, 10])
async def test_a_transaction_with_a_new_id_overwrites_nobody_either(site: Site, grace: float) -> None:
    jar = await site.visitor()

    async def work(session: Session) -> None:
        with pytest.raises(SessionConflict):
            async with session.transaction():
                await site.visit(dict(jar), lambda other: other.update(n=5))
                session["n"] += 1
                session.regenerate(keep=True, grace=grace)
        session.destroy()

    await site.visit(dict(jar), work)
    assert site.store.count() == 0


# Twice in one request -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("keep", [True, ["new"]])
async def test_a_session_that_was_begun_anew_is_kept_whatever_became_of_the_old_one(site: Site, keep: Any) -> None:
    """regenerate() gives up what is stored, and a second one that keeps what was put in since does not take it back."""
    jar = await site.visitor(old=1)
    before = dict(jar)

    def begin_anew(session: Session) -> None:
        MemoryStore.delete(site.store, session.id)
        session.regenerate()
        session["new"] = 2
        session.regenerate(keep=keep)

    await site.visit(jar, begin_anew)
    assert jar != before
    assert "dropped" not in site.events
    assert (await site.visit(jar)).body == b"{'new': 2}"


async def test_what_was_given_up_does_not_come_back_from_another_request(site: Site) -> None:
    jar = await site.visitor(old=1)

    def begin_anew(session: Session) -> None:
        stored = site.store.load(session.id)
        assert stored is not None
        changed = stored.payload.replace(b'"old":1', b'"old":1,"theirs":2')
        assert isinstance(MemoryStore.replace(site.store, session.id, changed, 100, stored.payload), Replaced)
        session.regenerate()
        session["new"] = 2
        session.regenerate(keep=True)

    await site.visit(jar, begin_anew)
    assert (await site.visit(jar)).body == b"{'new': 2}"
    assert site.live() == [{"new": 2}]
