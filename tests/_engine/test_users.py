"""Who is behind a session: log-in, the list of a user's sessions, their limit, and their end."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sessile import InvalidOption, Record, Session, SessionError, Sessions, StoreUnavailable
from sessile._engine.index import ENTERING, LIVES, key_of, keys_of, renewal_is_due
from sessile.asgi import SessionMiddleware
from sessile.codecs import Msgpack
from sessile.errors import NotFresh, TooManySessions
from sessile.stores.memory import MemoryStore
from sessile.stores.sqlite import SqliteStore
from tests.asgi import Browser, Response, handler
from tests.conftest import SECRET, Clock


class Site:
    """A site, and its visitors: each is a jar of cookies."""

    def __init__(self, store: Any = None, **options: Any) -> None:
        self.clock = Clock()
        self.store = store(self.clock) if store else MemoryStore(clock=self.clock)
        self.events: list[str] = []
        self.sessions = Sessions(
            secret=SECRET,
            store=self.store,
            clock=self.clock,
            on_event=lambda event: self.events.append(event.name),
            **{"ttl": 1000, **options},
        )

    async def visit(self, jar: dict[str, str], work: Callable[[Session], Any] = dict) -> Response:
        return await Browser(SessionMiddleware(handler(work), self.sessions), jar).get()

    async def login(self, user: str | int, **claims: Any) -> dict[str, str]:
        jar: dict[str, str] = {}
        await self.visit(jar, lambda session: session.login(user, **claims))
        return jar

    async def user_of(self, jar: dict[str, str]) -> bytes:
        return (await self.visit(jar, lambda session: session.user_id)).body

    async def devices(self, user: str | int) -> list[Any]:
        return [handle.claims.get("device") for handle in await self.sessions.aof_user(user)]


@pytest.fixture(params=["memory", "sqlite", "hashed ids"])
def site(request: pytest.FixtureRequest, tmp_path: Path) -> Site:
    if request.param == "sqlite":
        return Site(lambda clock: SqliteStore(tmp_path / "s.db", clock=clock))
    return Site(hash_ids=True, codec=Msgpack()) if request.param == "hashed ids" else Site()


# The list -------------------------------------------------------------------------------------------------------------


async def test_the_sessions_of_a_user_are_listed(site: Site) -> None:
    """With what the application chose to record, the one that was used last first."""
    phone = await site.login("zoe", device="phone", address="192.0.2.7")
    site.clock.advance(10)
    laptop = await site.login("zoe", device="laptop")
    await site.login("max", device="tablet")
    site.clock.advance(5)
    await site.visit(phone)
    lists: list[Any] = []

    async def look(session: Session) -> None:
        lists.append(await site.sessions.aof_user("zoe", current=session))

    await site.visit(laptop, look)
    site.clock.advance(1)
    await site.visit(phone, look)
    first, second = lists
    assert {handle.claims["device"]: handle.is_current for handle in first} == {"laptop": True, "phone": False}
    assert {handle.claims["device"]: handle.is_current for handle in second} == {"laptop": False, "phone": True}
    (one,) = [handle for handle in second if not handle.is_current]
    now = site.clock()
    assert (one.user_id, one.logged_in_at, one.last_seen, one.expires_at) == ("zoe", now - 6, now - 1, now + 999)
    (phone_handle,) = [handle for handle in first if not handle.is_current]
    assert phone_handle.claims == {"device": "phone", "address": "192.0.2.7"}


async def test_a_handle_shows_no_id(site: Site) -> None:
    """What a page shows cannot become a cookie (django-user-sessions, CVE-2020-5224)."""
    await site.login("zoe")
    (handle,) = await site.sessions.aof_user("zoe")
    ids = [sid for sid, _ in site.store.all()]
    assert not any(sid in repr(handle) or sid in handle.handle for sid in ids)
    assert [each.handle for each in await site.sessions.aof_user("zoe")] == [handle.handle]


async def test_a_handle_opens_its_session(site: Site) -> None:
    """For an administrator's page; None if it has ended meanwhile. The session has the times of the handle."""
    jar = await site.login("zoe")
    site.clock.advance(10)
    await site.visit(jar)
    site.clock.advance(5)
    (handle,) = await site.sessions.aof_user("zoe")
    session = await handle.aopen()
    assert (session.user_id, session.last_seen, session.expires_at) == ("zoe", handle.last_seen, handle.expires_at)
    assert session.last_seen == site.clock() - 5
    await handle.arevoke()
    assert await handle.aopen() is None


async def test_a_session_that_is_not_stored_was_never_seen(site: Site) -> None:
    """Nor does it end."""
    found: list[Any] = []
    await site.visit({}, lambda session: found.extend((session.last_seen, session.expires_at)))
    assert found == [None, None]


async def test_text_and_a_number_are_two_users(site: Site) -> None:
    await site.login("5", device="text")
    await site.login(5, device="number")
    assert await site.devices(5) == ["number"]
    assert await site.devices("5") == ["text"]
    assert await site.devices("6") == []


async def test_one_is_ended_by_its_handle(site: Site) -> None:
    phone, laptop = await site.login("zoe", device="phone"), await site.login("zoe", device="laptop")
    (handle,) = [each for each in await site.sessions.aof_user("zoe") if each.claims["device"] == "phone"]
    assert await handle.arevoke() is True
    assert await handle.arevoke() is False
    assert (await site.user_of(phone), await site.user_of(laptop)) == (b"None", b"'zoe'")
    assert await site.devices("zoe") == ["laptop"]


async def test_after_a_change_of_password_the_others_are_ended(site: Site) -> None:
    jars = [await site.login("zoe") for _ in range(3)]
    other = await site.login("max")

    async def change_password(session: Session) -> int:
        session.reauthenticated()
        await session.asave()
        ended: int = await site.sessions.arevoke_user("zoe", keep=session)
        return ended

    assert (await site.visit(jars[0], change_password)).body == b"2"
    assert [await site.user_of(jar) for jar in (*jars, other)] == [b"'zoe'", b"None", b"None", b"'max'"]
    assert site.events.count("revoked") == 2


async def test_all_are_ended_when_an_account_is_closed(site: Site) -> None:
    jars = [await site.login("zoe") for _ in range(3)]
    assert await site.sessions.arevoke_user("zoe") == 3
    assert [await site.user_of(jar) for jar in jars] == [b"None"] * 3
    assert await site.sessions.arevoke_user("zoe") == 0


async def test_a_logout_leaves_the_list(site: Site) -> None:
    phone, _ = await site.login("zoe", device="phone"), await site.login("zoe", device="laptop")
    await site.visit(phone, lambda session: session.logout())
    assert await site.devices("zoe") == ["laptop"]
    assert len(await named(site, "zoe")) == 1


async def test_what_is_ended_by_its_handle_or_its_id_leaves_the_index(site: Site) -> None:
    """So an index does not grow with each log-in, where sessions are ended that way."""
    jars = [await site.login("zoe") for _ in range(3)]
    await (await site.sessions.aof_user("zoe"))[0].arevoke()
    assert len(await named(site, "zoe")) == 2
    for jar in jars:
        await site.sessions.arevoke(site.sessions.sid_of(jar["connect.sid"]) or "")
    assert await named(site, "zoe") == []


async def named(site: Site, user: str) -> list[str]:
    """Return the ids that the index itself holds, as they stand in the store."""
    record = site.sessions.engine.setup.index_of(site.sessions.store).load(key_of("user", user))
    return list(json.loads(record.payload)["sessions"]) if record else []


@pytest.mark.parametrize("grace", [0, 10])
async def test_a_new_id_keeps_its_place(site: Site, grace: float) -> None:
    jar = await site.login("zoe", device="phone")
    await site.visit(jar, lambda session: session.regenerate(keep=True, grace=grace))
    assert await site.devices("zoe") == ["phone"]
    assert len(await named(site, "zoe")) == 1
    assert await site.sessions.arevoke_user("zoe") == 1
    assert await site.user_of(jar) == b"None"


async def test_another_user_on_the_same_browser(site: Site) -> None:
    jar = await site.login("zoe")
    await site.visit(jar, lambda session: session.login("max"))
    assert (len(await site.sessions.aof_user("zoe")), len(await site.sessions.aof_user("max"))) == (0, 1)


async def test_what_has_expired_is_not_listed_and_taken_out(site: Site) -> None:
    await site.login("zoe", device="old")
    site.clock.advance(999)
    await site.login("zoe", device="new")
    site.clock.advance(2)
    assert await site.devices("zoe") == ["new"]
    assert len(await named(site, "zoe")) == 1


# The index ------------------------------------------------------------------------------------------------------------


async def test_an_index_outlives_what_it_names(site: Site) -> None:
    """A session that is used now and then, for longer than any entry would last."""
    jar = await site.login("zoe")
    for _ in range(20 * LIVES):
        site.clock.advance(700)
        await site.visit(jar)
    assert len(await site.sessions.aof_user("zoe")) == 1


async def test_and_one_of_a_short_life_does_not_shorten_it() -> None:
    site = Site()
    long: dict[str, str] = {}

    def remember(session: Session) -> None:
        session.login("zoe", device="long")
        session.cookie.max_age = 100_000

    await site.visit(long, remember)
    short = await site.login("zoe", device="short")
    for _ in range(30):
        site.clock.advance(900)
        await site.visit(short)
    assert sorted(await site.devices("zoe")) == ["long", "short"]
    site.clock.advance(70_000)
    assert await site.devices("zoe") == ["long"]


@given(st.floats(1, 1e6), st.lists(st.floats(0, 0.999), min_size=1, max_size=60), st.floats(0, 1e9))
def test_renewing_now_and_then_is_enough(ttl: float, waits: list[float], began: float) -> None:
    """Whenever the visits are, the entry ends after the session."""
    seen, entry = began, began + LIVES * ttl
    for wait in waits:
        now = seen + wait * ttl
        if renewal_is_due(seen, now, ttl):
            entry = now + LIVES * ttl
        seen = now
        assert entry >= seen + ttl


async def test_an_index_that_was_lost_is_made_anew(site: Site) -> None:
    """Evicted, or removed by somebody: the next renewal names the session again."""
    jar = await site.login("zoe")
    site.sessions.store.index().clear()
    assert await site.sessions.aof_user("zoe") == []
    for _ in range(2):
        site.clock.advance(999)
        await site.visit(jar)
    assert len(await site.sessions.aof_user("zoe")) == 1


class Dying(MemoryStore):
    """A store that is gone before a verb."""

    at: str | None = None

    def _check(self, verb: str) -> None:
        if verb == self.at:
            raise ConnectionError("the process was killed")

    def create(self, sid: str, payload: bytes, ttl: float) -> bool:
        self._check("create")
        return super().create(sid, payload, ttl)

    def replace(self, sid: str, payload: bytes, ttl: float, expected: bytes) -> Any:
        self._check("replace")
        return super().replace(sid, payload, ttl, expected)

    def delete(self, sid: str) -> bool:
        self._check("delete")
        return super().delete(sid)


@pytest.mark.parametrize("verb", ["create", "replace", "delete"])
async def test_whenever_a_process_dies_no_session_is_missing_from_the_list(verb: str) -> None:
    """The index may name too much, never too little; and what it names too much is gone after a while."""
    site = Site(lambda clock: Dying(clock=clock))
    jar: dict[str, str] = {}
    await site.visit(jar, lambda session: session.update(n=1))
    site.store.at = verb
    await site.visit(jar, lambda session: session.login("zoe"))
    site.store.at = None
    live = [session for session in site.sessions.all() if session.user_id == "zoe"]
    assert len(await site.sessions.aof_user("zoe")) == len(live)
    site.clock.advance(ENTERING + 1)
    await site.sessions.aof_user("zoe")
    assert len(await named(site, "zoe")) <= max(len(live), 1)


async def test_a_session_that_is_about_to_be_stored_is_not_taken_out() -> None:
    """Somebody reads the list in the moment between the index and the record."""
    site = Site()
    jar: dict[str, str] = {}

    class Slow(MemoryStore):
        def create(self, sid: str, payload: bytes, ttl: float) -> Any:
            async def later() -> bool:
                assert await site.sessions.aof_user("zoe") == []
                return MemoryStore.create(self, sid, payload, ttl)

            return later()

    site.store.__class__ = Slow
    await site.visit(jar, lambda session: session.login("zoe"))
    assert len(await site.sessions.aof_user("zoe")) == 1


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(), st.lists), st.text())
def test_whatever_stands_in_a_record_is_no_error(value: Any, text: str) -> None:
    assert isinstance(keys_of({"user": value, "index": {"a": value, text: text}}), list)
    assert isinstance(keys_of({"user": text, "index": value}), list)


@pytest.mark.parametrize(
    "payload", [b"", b"null", b"[]", b'{"sessions":[]}', b'{"sessions":{"a":"b"}}', b'{"revoked":1}', b"\xff"]
)
async def test_whatever_stands_in_an_index_is_no_error(payload: bytes) -> None:
    site = Site()
    site.sessions.engine.setup.index_of(site.store).create(key_of("user", "zoe"), payload, 1000)
    assert await site.sessions.aof_user("zoe") == []
    await site.login("zoe")
    assert len(await site.sessions.aof_user("zoe")) == 1


async def test_an_index_that_names_strangers_shows_and_ends_none_of_them() -> None:
    """User A can never list, see or end the session of user B."""
    site = Site()
    jar = await site.login("max")
    (sid,) = [sid for sid, _ in site.store.all()]
    site.sessions.engine.setup.index_of(site.store).create(
        key_of("user", "zoe"), b'{"sessions":{"%s":[0,2e9]}}' % sid.encode(), 1000
    )
    assert await site.sessions.aof_user("zoe") == []
    assert await site.sessions.arevoke_user("zoe") == 0
    assert await site.user_of(jar) == b"'max'"


# Other indexes --------------------------------------------------------------------------------------------------------


async def test_the_sessions_of_a_tenant_are_ended(site: Site) -> None:
    async def log_in(user: str, tenant: int) -> dict[str, str]:
        jar: dict[str, str] = {}

        def work(session: Session) -> None:
            session.login(user)
            session.index("tenant", tenant)

        await site.visit(jar, work)
        return jar

    jars = [await log_in("zoe", 1), await log_in("max", 1), await log_in("eva", 2)]
    assert await site.sessions.arevoke_where("tenant", 1) == 2
    assert [await site.user_of(jar) for jar in jars] == [b"None", b"None", b"'eva'"]


async def test_a_session_is_put_into_an_index_later_and_taken_out(site: Site) -> None:
    """OpenID Connect Back-Channel Logout: the provider's `sid` is known after the log-in."""
    jar = await site.login("zoe")
    await site.visit(jar, lambda session: session.index("oidc", "abc"))
    await site.visit(jar, lambda session: session.index("oidc", "xyz"))
    assert await site.sessions.arevoke_where("oidc", "abc") == 0
    await site.visit(jar, lambda session: session.index("oidc", None))
    assert await site.sessions.arevoke_where("oidc", "xyz") == 0
    await site.visit(jar, lambda session: session.index("oidc", "abc"))
    assert await site.sessions.arevoke_where("oidc", "abc") == 1


def test_what_is_no_index(site: Site) -> None:
    session = site.sessions.engine.blank()
    with pytest.raises(ValueError, match="login"):
        session.index("user", "zoe")
    with pytest.raises(ValueError, match="cannot name"):
        session.index("", 1)
    with pytest.raises(TypeError, match="text or an int"):
        session.index("tenant", 1.5)  # type: ignore[arg-type]


# The limit ------------------------------------------------------------------------------------------------------------


async def test_beyond_the_limit_the_oldest_is_ended() -> None:
    site = Site(max_sessions_per_user=2)
    jars = []
    for _ in range(4):
        site.clock.advance(1)
        jars.append(await site.login("zoe"))
    other = await site.login("max")
    assert [await site.user_of(jar) for jar in (*jars, other)] == [b"None", b"None", b"'zoe'", b"'zoe'", b"'max'"]


async def test_or_the_log_in_is_refused_with_the_list() -> None:
    site = Site(max_sessions_per_user=2, too_many_sessions="refuse")
    await site.login("zoe", device="phone")
    await site.login("zoe", device="laptop")
    third: dict[str, str] = {}

    async def log_in(session: Session) -> Any:
        session.login("zoe")
        try:
            await session.asave()
        except TooManySessions as error:
            for handle in error.sessions:
                if handle.claims["device"] == "phone":
                    await handle.arevoke()
            await session.asave()
            return sorted(handle.claims["device"] for handle in error.sessions)
        return None

    assert (await site.visit(third, log_in)).body == b"['laptop', 'phone']"
    assert await site.user_of(third) == b"'zoe'"
    with pytest.raises(TooManySessions, match="2 sessions"):
        await site.login("zoe")
    assert len(await site.sessions.aof_user("zoe")) == 2


async def test_a_new_id_or_another_log_in_is_no_further_session() -> None:
    site = Site(max_sessions_per_user=1, too_many_sessions="refuse")
    jar = await site.login("zoe")
    await site.visit(jar, lambda session: session.regenerate(keep=True))
    await site.visit(jar, lambda session: session.login("zoe"))
    assert await site.user_of(jar) == b"'zoe'"


@pytest.mark.parametrize("policy", ["end_oldest", "refuse"])
async def test_however_many_log_in_at_once_there_are_no_more(policy: Any) -> None:
    """The limit is kept in the same step in which a session is entered."""

    class Async(MemoryStore):
        async def load(self, sid: str) -> Record | None:  # type: ignore[override]
            await asyncio.sleep(0)
            return super().load(sid)

        async def create(self, sid: str, payload: bytes, ttl: float) -> bool:  # type: ignore[override]
            await asyncio.sleep(0)
            return super().create(sid, payload, ttl)

        async def replace(self, sid: str, payload: bytes, ttl: float, expected: bytes) -> Any:
            await asyncio.sleep(0)
            return super().replace(sid, payload, ttl, expected)

        def index(self) -> MemoryStore:
            index = super().index()
            if not isinstance(index, Async):
                index.__class__ = type("AsyncIndex", (Async, type(index)), {})
            return index

    site = Site(lambda clock: Async(clock=clock), max_sessions_per_user=3, too_many_sessions=policy)
    answers = await asyncio.gather(*(site.login("zoe") for _ in range(12)), return_exceptions=True)
    assert all(isinstance(answer, (dict, TooManySessions)) for answer in answers)
    assert len(await site.sessions.aof_user("zoe")) <= 3
    assert site.store.count() <= 3


@pytest.mark.parametrize("wrong", [0, -1, True, "3", 1.5])
def test_what_is_no_limit(wrong: Any) -> None:
    with pytest.raises(InvalidOption, match="max_sessions_per_user"):
        Site(max_sessions_per_user=wrong)
    with pytest.raises(InvalidOption, match="index_users"):
        Site(max_sessions_per_user=1, index_users=False)


# Who it is ------------------------------------------------------------------------------------------------------------


async def test_a_log_in_is_fresh_though_the_clock_of_another_server_is_behind(site: Site) -> None:
    """By up to two seconds: or the password would be asked for in a circle."""
    jar = await site.login("zoe")
    site.clock.now -= 2
    assert (await site.visit(jar, lambda session: session.is_fresh(300))).body == b"True"
    site.clock.now -= 1
    assert (await site.visit(jar, lambda session: session.is_fresh(300))).body == b"False"


async def test_a_log_in_is_fresh_for_a_while_and_again_after_a_password(site: Site) -> None:
    """OWASP ASVS 7.5.1: before something delicate."""
    jar = await site.login("zoe")
    old = dict(jar)
    site.clock.advance(301)

    def pay(session: Session) -> Any:
        try:
            session.require_fresh(300)
        except NotFresh:
            return "ask"
        return "paid"

    assert (await site.visit(jar, pay)).body == b"'ask'"
    await site.visit(jar, lambda session: session.reauthenticated())
    assert (await site.visit(jar, pay)).body == b"'paid'"
    assert await site.user_of(old) == b"None"
    assert (await site.visit({}, lambda session: session.is_fresh(300))).body == b"False"


async def test_nobody_can_prove_again_who_he_never_was(site: Site) -> None:
    with pytest.raises(SessionError, match="login"):
        await site.visit({}, lambda session: session.reauthenticated())


async def test_claims_and_data_live_apart(site: Site) -> None:
    jar = await site.login("zoe", device="phone")
    seen = await site.visit(jar, lambda session: (session.claims, dict(session), session.logged_in_at is not None))
    assert seen.body == b"({'device': 'phone'}, {}, True)"


async def test_a_store_without_the_ability_says_so() -> None:
    class Plain:
        def __init__(self, clock: Any) -> None:
            inner = MemoryStore(clock=clock)
            self.load, self.create, self.replace = inner.load, inner.create, inner.replace
            self.touch, self.delete = inner.touch, inner.delete

    site = Site(Plain)
    jar = await site.login("zoe")
    assert await site.user_of(jar) == b"'zoe'"
    with pytest.raises(SessionError, match="Indexed"):
        await site.sessions.aof_user("zoe")
    with pytest.raises(SessionError, match="index_users=False"):
        await Site(index_users=False).sessions.aof_user("zoe")


async def test_an_index_that_cannot_be_written_is_an_outage_that_says_what_to_do() -> None:
    """A session that no list shows could not be ended by it."""

    class NoRoom(MemoryStore):
        def index(self) -> Any:
            class Room(MemoryStore):
                def load(self, sid: str) -> Any:
                    raise PermissionError("permission denied for schema public")

            return Room()

    site = Site(lambda clock: NoRoom(clock=clock), on_store_error="raise")
    with pytest.raises(StoreUnavailable, match="index_users=False"):
        await site.login("zoe")


def test_programs_that_do_not_wait(tmp_path: Path) -> None:
    sessions = Sessions(secret=SECRET, store=f"sqlite:///{tmp_path}/s.db")
    session = sessions.engine.blank()
    session.login("zoe", device="script")
    session.save()
    assert [handle.claims for handle in sessions.of_user("zoe")] == [{"device": "script"}]
    assert sessions.revoke_user("zoe") == 1
    assert sessions.open(session.id) is None
    sessions.close()


async def test_a_logout_is_done_whatever_becomes_of_the_index() -> None:
    """And so is a visit: the index heals by itself."""

    class Failing(MemoryStore):
        def index(self) -> Any:
            class Room(MemoryStore):
                def load(self, sid: str) -> Any:
                    raise ConnectionError

            return Room()

    site = Site()
    leaving, staying = await site.login("zoe"), await site.login("zoe")
    site.store.__class__ = Failing
    response = await site.visit(leaving, lambda session: session.logout())
    assert (response.status, leaving) == (200, {})
    for _ in range(3):
        site.clock.advance(700)
        assert (await site.visit(staying)).status == 200
    site.store.__class__ = MemoryStore
    for _ in range(2):
        site.clock.advance(700)
        await site.visit(staying)
    assert len(await site.sessions.aof_user("zoe")) == 1


async def test_a_logout_that_the_store_did_not_hear_is_no_logout() -> None:
    """The visitor is told to come again, keeps the cookie, and is not made to believe that he is out."""

    class Deaf(MemoryStore):
        def replace(self, sid: str, payload: bytes, ttl: float, expected: bytes) -> Any:
            raise ConnectionError

        def delete(self, sid: str) -> bool:
            raise ConnectionError

    site = Site()
    jar = await site.login("zoe")
    site.store.__class__ = Deaf
    response = await site.visit(jar, lambda session: session.logout())
    assert (response.status, response.cookie) == (503, None)
    site.store.__class__ = MemoryStore
    assert (await site.visit(jar, lambda session: session.user_id)).body == b"'zoe'"
    assert (await site.visit(jar, lambda session: session.logout())).status == 200
    assert jar == {}


async def _incr(session: Session) -> None:
    await session.aincr("n")


async def _pop_once(session: Session) -> None:
    assert await session.apop_once("n") == 1


async def _transaction(session: Session) -> None:
    async with session.transaction():
        session["n"] = 2


async def _lock(session: Session) -> None:
    async with session.lock():
        session["n"] = 2


@pytest.mark.parametrize("at_once", [_incr, _pop_once, _transaction, _lock])
async def test_a_log_in_is_kept_through_what_asks_the_store_at_once(at_once: Any, site: Site) -> None:
    """And so are a fresh proof, another index, and the cookie that a new id gets."""
    jar: dict[str, str] = {}
    await site.visit(jar, lambda session: session.update(n=1))

    async def log_in(session: Session) -> Any:
        session.login("zoe", device="phone")
        await at_once(session)
        return session.user_id

    planted = dict(jar)
    assert (await site.visit(jar, log_in)).body == b"'zoe'"
    assert await site.user_of(jar) == b"'zoe'"
    assert await site.devices("zoe") == ["phone"]
    assert "logged_in" in site.events
    assert await site.user_of(planted) == b"None"

    async def prove(session: Session) -> Any:
        session["n"] = 1
        await session.asave()
        site.clock.advance(10)
        session.reauthenticated()
        session.index("tenant", "shop")
        await at_once(session)
        return session.is_fresh(5)

    assert (await site.visit(jar, prove)).body == b"True"
    assert (await site.visit(jar, lambda session: session.is_fresh(5))).body == b"True"
    assert await site.sessions.arevoke_where("tenant", "shop") == 1


@pytest.mark.parametrize("at_once", [_incr, _pop_once, _transaction])
async def test_a_user_who_was_left_behind_stays_so(at_once: Any, site: Site) -> None:
    jar = await site.login("zoe")
    await site.visit(jar, lambda session: session.update(n=1))

    async def leave(session: Session) -> Any:
        session.regenerate(keep=["n"])
        await at_once(session)
        return session.user_id

    assert (await site.visit(jar, leave)).body == b"None"
    assert await site.user_of(jar) == b"None"
    assert await site.sessions.aof_user("zoe") == []
