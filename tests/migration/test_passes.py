"""Passes of a migration, while both sides are in use"""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path
from typing import Any

import pytest

from sessile import RequestFacts, Sessions
from sessile._session.watched import state_of
from sessile.codecs import Encrypted, Json
from sessile.errors import SessionError
from sessile.migration import MigrationError, Report, migrate
from sessile.stores import from_url
from sessile.stores.cookie import CookieStore
from sessile.stores.memory import MemoryStore
from sessile.testing import FaultyStore
from tests.conftest import Clock
from tests.migration.sessions import SECRET, answer, assert_equal, fill, records

A, B = b'{"cookie":{},"n":1}', b'{"cookie":{},"n":2}'


class Two:
    """Two stores, and what moves from the one to the other."""

    def __init__(self, folder: Path) -> None:
        self.clock = Clock()
        self.source, self.target = MemoryStore(clock=self.clock), MemoryStore(clock=self.clock)
        self.journal = folder / "journal"

    async def go(self, **options: Any) -> Report:
        return await migrate(self.source, self.target, self.journal, clock=self.clock, **options)


@pytest.fixture
def two(tmp_path: Path) -> Two:
    return Two(tmp_path)


async def test_a_second_pass_takes_along_what_is_new_or_has_changed(two: Two) -> None:
    """And says how many, and does not ask the target for the rest."""
    for sid in ("same", "changed"):
        two.source.create(sid, A, 600)
    assert (await two.go()).copied == 2
    two.source.create("new", A, 600)
    two.source.replace("changed", B, 900, A)
    report = await two.go()
    assert (report.copied, report.updated, report.present, report.matching) == (1, 1, 1, 3)
    assert_equal(await records(two.source), await records(two.target))


async def test_what_was_changed_in_the_target_is_left_alone(two: Two) -> None:
    """Even if it was changed in the source as well: its visitors are there by now."""
    two.source.create("sid", A, 600)
    await two.go()
    two.target.replace("sid", b"{}", 600, A)
    two.source.replace("sid", B, 600, A)
    report = await two.go()
    assert (report.kept, report.updated, report.good) == (1, 0, True)
    assert two.target.load("sid").payload == b"{}"
    assert (await two.go()).kept == 1


async def test_what_was_in_the_target_before_is_left_alone(two: Two) -> None:
    """A session of the same id that no pass has put there is somebody else's."""
    two.source.create("sid", A, 600)
    two.target.create("sid", B, 600)
    report = await two.go()
    assert (report.kept, report.copied) == (1, 0)
    assert two.target.load("sid").payload == B


async def test_a_session_that_ended_in_the_target_is_not_brought_back(two: Two) -> None:
    """Whatever the source has of it."""
    two.source.create("left", A, 600)
    two.source.create("changed", A, 600)
    await two.go()
    two.target.delete("left")
    two.target.delete("changed")
    two.source.replace("changed", B, 600, A)
    report = await two.go()
    assert (report.ended, report.used, report.copied) == (1, 1, 0)
    two.source.touch("left", 900)
    assert (await two.go()).ended == 2
    assert await records(two.target) == {}


async def test_a_session_that_ended_in_the_source_ends_in_the_target(two: Two) -> None:
    """With its place in the index of its user."""
    site, new = (Sessions(secret=SECRET, store=store, clock=two.clock) for store in (two.source, two.target))
    session = site.engine.begin_sync(b"", RequestFacts)
    session.login("zoe")
    site.engine.commit_sync(session)
    await two.go()
    assert len(await new.aof_user("zoe")) == 1
    assert await site.arevoke(session.id)
    report = await two.go()
    assert report.removed == 1
    assert await records(two.target) == {}
    assert [record.payload for _, record in two.target.index().all() if b"zoe" in record.payload] == []


@pytest.mark.parametrize("use", ["change", "look"])
async def test_what_ended_in_the_source_and_is_used_in_the_target_goes_on(two: Two, use: str) -> None:
    """The visitor is in the target by now; what the old site does is no business of his."""
    two.source.create("sid", A, 600)
    await two.go()
    if use == "change":
        two.target.replace("sid", B, 600, A)
    else:
        two.target.touch("sid", 700)
    two.source.delete("sid")
    report = await two.go()
    assert (report.kept, report.removed) == (1, 0)
    assert two.target.load("sid") is not None


async def test_what_has_expired_in_the_source_is_no_business_of_the_target(two: Two) -> None:
    """It has expired there as well, or lives on because it is used."""
    two.source.create("sid", A, 600)
    await two.go()
    two.target.touch("sid", 900)
    two.clock.advance(601)
    assert (await two.go()).removed == 0
    assert two.target.load("sid") is not None


async def test_ends_follow_the_source_unless_the_target_was_used(two: Two) -> None:
    """A visit to the old site lengthens a copy; one to the new site is not taken back."""
    for sid in ("longer", "shorter", "used"):
        two.source.create(sid, A, 600)
    await two.go()
    two.source.touch("longer", 900)
    two.source.touch("shorter", 300)
    two.source.touch("used", 700)
    two.target.touch("used", 800)
    report = await two.go()
    assert (report.renewed, report.present, report.matching, report.used) == (2, 1, 2, 1)
    ends = {sid: record.expires_at - two.clock() for sid, record in (await records(two.target)).items()}
    assert ends == {"longer": 900, "shorter": 300, "used": 800}


async def test_a_copy_that_expired_while_the_source_lived_on_is_made_again(two: Two) -> None:
    """Short lives, and a long time between two passes."""
    two.source.create("sid", A, 600)
    await two.go()
    two.clock.advance(500)
    two.source.touch("sid", 600)
    two.clock.advance(200)
    report = await two.go()
    assert (report.copied, report.matching) == (1, 1)


async def test_a_write_in_the_target_between_look_and_write_wins(two: Two) -> None:
    """The write of a pass compares, in one step."""
    two.source.create("sid", A, 600)
    await two.go()
    two.source.replace("sid", B, 600, A)
    load = two.target.load

    def overtaken(sid: str) -> Any:
        record = load(sid)
        two.target.replace(sid, b"{}", 600, A)
        return record

    two.target.load = overtaken  # type: ignore[method-assign]
    report = await two.go(verify=False)
    assert (report.kept, report.updated) == (1, 0)
    assert load("sid").payload == b"{}"


async def test_an_emptied_source_does_not_empty_the_target(two: Two) -> None:
    """Unless somebody says that this is right."""
    for number in range(300):
        two.source.create(f"sid{number}", A, 600)
    await two.go()
    two.source.clear()
    with pytest.raises(MigrationError, match="300 are no longer in the source"):
        await two.go()
    assert two.target.count() == 300
    assert (await two.go(expect_ended=True)).removed == 300
    assert two.target.count() == 0


async def test_an_emptied_target_is_told(two: Two) -> None:
    """Nobody can tell whether the sessions were ended there; with a new journal all are copied again."""
    two.source.create("sid", A, 600)
    await two.go()
    two.target.clear()
    two.target.index().clear()
    with pytest.raises(MigrationError, match="--fresh"):
        await two.go()
    two.journal.unlink()
    assert (await two.go()).matching == 1


async def test_a_dry_run_writes_nothing(two: Two) -> None:
    """It says what a pass would do, on top of those that there were."""
    two.source.create("old", A, 600)
    await two.go()
    two.source.create("new", A, 600)
    two.source.replace("old", B, 600, A)
    report = await two.go(dry_run=True)
    assert (report.copied, report.updated, report.verified) == (1, 1, False)
    assert {sid: record.payload for sid, record in two.target.all()} == {"old": A}
    assert (await two.go()).copied == 1


async def test_verification_finds_what_a_target_does_not_keep(two: Two) -> None:
    """What is lost, what is changed, and what has another end; but for another way of writing the same."""
    for sid in ("fine", "lost", "changed", "shortened", "spaced"):
        two.source.create(sid, A, 600)
    create = two.target.create

    def careless(sid: str, payload: bytes, ttl: float) -> bool:
        kept = {"changed": B, "spaced": b'{"n": 1, "cookie": {}}'}.get(sid, payload)
        return sid == "lost" or create(sid, kept, 60 if sid == "shortened" else ttl)

    two.target.create = careless  # type: ignore[method-assign]
    report = await two.go()
    assert (report.matching, report.missing, report.differing, report.rewritten) == (1, 1, 2, 1)
    assert not report.good


async def test_what_the_source_changes_while_it_is_moved_waits_for_the_next_pass(two: Two) -> None:
    """It is told, and is no fault."""
    two.source.create("sid", A, 600)
    create = two.target.create

    def and_go_on(*arguments: Any) -> bool:
        made = create(*arguments)
        two.source.replace("sid", B, 600, A)
        two.source.create("new", A, 600)
        return made

    two.target.create = and_go_on  # type: ignore[method-assign]
    report = await two.go()
    assert (report.behind, report.good) == (2, True)
    two.target.create = create  # type: ignore[method-assign]
    assert (await two.go()).matching == 2


async def test_what_the_target_cannot_keep_is_counted(two: Two) -> None:
    """With the reason of the first one, and the others are moved."""
    two.source.create("large", A, 600)
    two.source.create("small", B, 600)
    create = two.target.create

    def strict(sid: str, payload: bytes, ttl: float) -> bool:
        if sid == "large":
            raise SessionError("the session is too large")
        return create(sid, payload, ttl)

    two.target.create = strict  # type: ignore[method-assign]
    report = await two.go()
    assert (report.refused, report.copied, report.reason) == (1, 1, "the session is too large")
    assert not report.good


async def test_an_outage_is_waited_out(two: Two) -> None:
    """Of either side, in any place, and the wait is told."""
    await fill(two.source, 100)
    waited = []
    source, target = FaultyStore(two.source), FaultyStore(two.target)
    source.fail("all", "count", times=2)
    target.fail(times=2)
    report = await migrate(
        source, target, two.journal, clock=two.clock, watch=lambda progress: waited.append(progress.waiting)
    )
    assert report.good
    assert {"source", "target", ""} <= set(waited)
    assert waited[-1] == ""
    assert_equal(await records(two.source), await records(two.target))


async def test_a_listing_that_breaks_off_begins_again(two: Two) -> None:
    """In each pass through the source, and nothing is counted twice."""
    await fill(two.source, 200)
    everything = await records(two.source)
    whole, breaks = two.source.all, [70, 150, 0, 100, 130]

    def broken() -> Any:
        stop = breaks.pop() if breaks else 1000
        for position, item in enumerate(whole()):
            if position == stop:
                raise ConnectionError
            yield item

    two.source.all = broken  # type: ignore[method-assign]
    report = await two.go()
    assert breaks == []
    assert (report.found, report.copied, report.matching) == (len(everything),) * 3


async def test_who_stays_away_too_long_ends_it(two: Two) -> None:
    """With a line that says who, and what to do; the next call goes on."""
    await fill(two.source, 100)
    target = FaultyStore(two.target)
    target.fail("create")
    with pytest.raises(MigrationError, match=r"the target has not answered for 0\.1 seconds"):
        await migrate(two.source, target, two.journal, clock=two.clock, patience=0.1)
    target.mend()
    report = await migrate(two.source, target, two.journal, clock=two.clock)
    assert report.good
    assert_equal(await records(two.source), await records(two.target))


async def test_answers_that_were_lost_do_no_harm(two: Two) -> None:
    """What was written before the connection broke is recognised."""
    # Without the index, in which one call comes after the other: 40 in a row are an outage.
    await fill(two.source, 100)
    target = FaultyStore(two.target)
    target.fail("create", times=40, after=True)
    assert (await migrate(two.source, target, two.journal, clock=two.clock, index=False)).good
    for sid, record in two.source.all():
        two.source.replace(sid, record.payload + b" ", 600, record.payload)
    target.fail("replace", times=40, after=True)
    report = await migrate(two.source, target, two.journal, clock=two.clock, index=False)
    assert (report.kept, report.good) == (0, True)
    assert_equal(await records(two.source), await records(two.target))


@pytest.mark.parametrize("first", [True, False])
async def test_a_session_that_changes_each_time_a_run_is_killed_is_still_ours(two: Two, first: bool) -> None:
    """Whatever the target has got, and whenever the run ended after that, the next one recognises it."""

    class Killed(BaseException):
        """Ends a run without a chance to note anything."""

    def payload(number: int) -> bytes:
        return b'{"cookie":{},"n":%d}' % number

    two.source.create("sid", payload(0), 600)
    if not first:
        await two.go()
    verbs = {verb: getattr(two.target, verb) for verb in ("create", "replace")}

    def killed(verb: str, after: bool) -> Any:
        def call(*arguments: Any) -> Any:
            if after:
                verbs[verb](*arguments)
            raise Killed

        return call

    for number, after in enumerate((True, False, False, True, False)):
        two.source.replace("sid", payload(number + 1), 600, payload(number))
        for verb in verbs:
            setattr(two.target, verb, killed(verb, after))
        with pytest.raises(Killed):
            await two.go()
    for verb, works in verbs.items():
        setattr(two.target, verb, works)
    two.source.replace("sid", payload(6), 600, payload(5))
    report = await two.go()
    assert (report.kept, report.ended, report.matching) == (0, 0, 1)
    assert two.target.load("sid").payload == payload(6)


async def test_a_journal_serves_one_migration_at_a_time(two: Two) -> None:
    """A second process, and one between other stores, are refused."""
    two.source.create("sid", A, 600)
    await two.go(between="here and there")
    with pytest.raises(MigrationError, match="is of another migration"):
        await two.go(between="here and elsewhere")
    other = sqlite3.connect(two.journal, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    with pytest.raises(MigrationError, match="cannot be used"):
        await two.go(between="here and there")
    other.close()
    assert two.journal.stat().st_mode & 0o777 == 0o600


async def test_codecs_and_hashed_ids_are_those_of_the_sites(two: Two) -> None:
    """Named by their Sessions, sites may write records in other ways; users are found in the new one."""
    old = Sessions(secret=SECRET, store=two.source, clock=two.clock)
    new = Sessions(
        secret=SECRET,
        store=two.target,
        clock=two.clock,
        hash_ids=True,
        codec=[Encrypted("a key for records, longer than 32 bytes"), Json()],
    )
    session = old.engine.begin_sync(b"", RequestFacts)
    session.login("zoe")
    session["n"] = 1
    (cookie,) = old.engine.commit_sync(session)
    report = await migrate(old, new, two.journal, clock=two.clock)
    assert report.matching == 1
    assert dict(new.engine.begin_sync(cookie.split(";")[0].encode(), RequestFacts)) == {"n": 1}
    assert await new.arevoke_user("zoe") == 1

    third = Sessions(secret=SECRET, store=MemoryStore(clock=two.clock), clock=two.clock, hash_ids=True)
    session = new.engine.begin_sync(b"", RequestFacts)
    session.login("adam")
    (cookie,) = new.engine.commit_sync(session)
    await migrate(new, third, two.journal.with_name("third"), clock=two.clock)
    assert third.engine.begin_sync(cookie.split(";")[0].encode(), RequestFacts).user_id == "adam"
    assert await third.arevoke_user("adam") == 1


async def test_hashes_do_not_become_ids(two: Two) -> None:
    """From hashed ids nobody comes back to plain ones; and a URL alone does not tell of them."""
    old = Sessions(secret=SECRET, store=two.source, clock=two.clock, hash_ids=True)
    session = old.engine.begin_sync(b"", RequestFacts)
    session.login("zoe")
    old.engine.commit_sync(session)
    with pytest.raises(MigrationError, match="hash_ids=True as well"):
        await migrate(old, two.target, two.journal, clock=two.clock)
    with pytest.raises(MigrationError, match="Name the site's Sessions"):
        await two.go()


async def test_records_that_are_no_json_are_moved_as_they_are(two: Two) -> None:
    """And counted, for whose they are nobody can tell."""
    two.source.create("sid", b"\x00sealed", 600)
    report = await two.go()
    assert (report.opaque, report.matching) == (1, 1)


async def test_stores_that_cannot_take_part_say_so(two: Two) -> None:
    """One that lists nothing is no source, and cookies are on no side."""
    memcached = from_url("memcached://127.0.0.1:1", time.time)
    with pytest.raises(MigrationError, match="MemcachedStore cannot list"):
        await migrate(memcached, two.target, two.journal)
    with pytest.raises(MigrationError, match="in the cookies of the visitors"):
        await migrate(CookieStore(), two.target, two.journal)


async def test_rotated_sessions_are_found_by_their_old_id_in_the_target_too(two: Two) -> None:
    """A time of grace that has begun in the old site goes on in the new one."""
    site, new = (Sessions(secret=SECRET, store=store, clock=two.clock) for store in (two.source, two.target))
    session = site.engine.begin_sync(b"", RequestFacts)
    session["n"] = 1
    (cookie,) = site.engine.commit_sync(session)
    again = site.engine.begin_sync(cookie.split(";")[0].encode(), RequestFacts)
    again.regenerate(keep=True, grace=60)
    site.engine.commit_sync(again)
    await two.go()
    found = await answer(new.open(session.id))
    assert (dict(found), state_of(found).sent_on) == ({"n": 1}, True)
