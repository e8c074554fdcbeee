"""sessile stats, sessile watch"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from sessile.cli.stats import Distinct
from sessile.stores.memory import MemoryStore
from sessile.testing import FaultyStore
from tests.cli.conftest import APP, Run, Shop
from tests.waiting import wait_for

SESSILE = Path(sys.executable).with_name("sessile")


def test_sessions_are_counted(run: Run, shop: Shop) -> None:
    """How many, whose, how large, how old, and when they end."""
    for user in ("zoe", "zoe", 7, None):
        shop.visit(user, a="b" * 1000 if user == 7 else "")
    shop.clock.advance(7200)
    shop.visit("ann")
    (found,) = run("stats", "--json", *APP).objects
    sizes = [len(record.payload) for _, record in shop.sessions.store.all()]
    assert found == {
        "sessions": 5,
        "logged_in": 4,
        "anonymous": 1,
        "users": 3,
        "users_exact": True,
        "bytes": sum(sizes),
        "largest": max(sizes),
        "oldest_seconds": 7200,
        "seen_within": {"5 minutes": 1, "1 hour": 0, "1 day": 4, "1 week": 0, "30 days": 0, "later": 0},
        "ends_within": {"5 minutes": 0, "1 hour": 0, "1 day": 5, "1 week": 0, "30 days": 0, "later": 0},
        "unreadable": 0,
    }


def test_people_see_bars(run: Run, shop: Shop) -> None:
    """The same as tables, with a bar for each length of time."""
    shop.visit("zoe")
    shop.clock.advance(7200)
    shop.visit("ann")
    out = run("stats", *APP).out
    assert "logged in  2 (of 2 users)" in out
    assert "oldest     2h" in out
    assert re.search("  5 minutes  █{12} +1\n", out)
    assert re.search("  1 day      █{24} +2\n", out)
    assert all(len(line) <= 60 for line in run("stats", *APP, COLUMNS="60").out.splitlines())


def test_an_empty_store_has_statistics(run: Run, shop: Shop) -> None:
    """Nothing is divided by nothing."""
    assert run("stats", *APP).code == 0
    assert run("stats", "--json", *APP).objects[0]["oldest_seconds"] is None


def test_many_users_are_estimated() -> None:
    """A few are counted; of many the number is right to some per cent, and memory stays as it is."""
    distinct = Distinct(most=1024)
    for each in range(1000):
        distinct.add(each)
        distinct.add(each)
    assert (distinct.exact, distinct.count) == (True, 1000)
    for each in range(20_000):
        distinct.add(each)
    assert not distinct.exact
    assert abs(distinct.count - 20_000) < 2000


def test_watch_counts_what_is_there(run: Run, shop: Shop) -> None:
    """--once looks once: what begins and ends can only be seen twice."""
    shop.visit("zoe")
    shop.visit(a=1)
    (look,) = run("watch", "--once", "--json", *APP).objects
    look.pop("at")
    assert look == {
        "sessions": 2,
        "logged_in": 1,
        "begun": 0,
        "ended": 0,
        "begun_per_second": 0.0,
        "ended_per_second": 0.0,
    }
    head, row = run("watch", "--once", *APP, COLUMNS="60").out.splitlines()
    assert head.split()[1:3] == ["sessions", "logged"]
    assert row.split()[1:3] == ["2", "1"]
    assert len(head) <= 70


def test_watch_sees_sessions_begin_and_end(new_shop: Callable[..., Shop], tmp_path: Path) -> None:
    """As it happens, in another process; Ctrl-C ends it quietly."""
    url = f"sqlite:///{tmp_path}/sessions.db"
    shop = new_shop(store=url)
    shop.visit("ann")
    seen = {"begun": 0, "ended": 0}
    environment = {**os.environ, "SESSILE_STORE": url, "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(
        [SESSILE, "watch", "--every", "0.05", "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    ) as process:
        out = process.stdout
        assert out is not None

        def look(name: str) -> bool:
            seen[name] += json.loads(out.readline())[name]
            return seen[name] == 1

        assert json.loads(out.readline())["sessions"] == 1
        cookie = shop.visit("zoe")
        wait_for(lambda: look("begun"))
        shop.sessions.revoke(shop.session(cookie).id)
        wait_for(lambda: look("ended"))
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=20)
    assert (process.returncode, err) == (0, "")


def test_watch_outlives_an_outage(run: Run, new_shop: Callable[..., Shop], monkeypatch: pytest.MonkeyPatch) -> None:
    """A line says that the store does not answer. What has begun meanwhile is counted when it does again."""
    store = FaultyStore(MemoryStore())
    shop = new_shop(store=store)
    shop.visit("ann")
    between = iter((lambda: store.fail("all"), lambda: (store.mend(), shop.visit("zoe")), _interrupt))
    monkeypatch.setattr("sessile.cli.watch.time.sleep", lambda _: next(between)())
    done = run("watch", "--json", *APP)
    assert [(look["sessions"], look["begun"]) for look in done.objects] == [(1, 0), (2, 1)]
    assert re.fullmatch(r"\d\d:\d\d:\d\d  the store of shop:sessions does not answer: .*\n", done.err)
    assert done.code == 0


def test_watch_says_at_once_that_a_store_was_never_there(run: Run, new_shop: Callable[..., Shop]) -> None:
    """It may be a wrong URL, which no waiting mends."""
    store = FaultyStore(MemoryStore())
    new_shop(store=store)
    store.fail("all")
    assert run("watch", *APP).code == 1


def _interrupt() -> None:
    raise KeyboardInterrupt
