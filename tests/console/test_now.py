"""What happened to sessions in this process in the last hour"""

from __future__ import annotations

from sessile.console.now import MINUTES, Plot, Watch, watch
from sessile.testing import FrozenClock
from tests.console.conftest import Desk


def said(plots: list[Plot], title: str) -> str:
    return next(plot.said for plot in plots if plot.title == title)


def test_a_minute_has_what_the_counts_have_grown_by(clock: FrozenClock) -> None:
    """What was before the watch is not shown, and what is older than an hour is forgotten."""
    counts = {"logged_in": 7, "conflicts": 1}
    watched = Watch(lambda: counts, clock)
    counts["logged_in"] = 9
    watched.took(0.002)
    clock.advance(60)
    watched.took(0.004)
    counts["logged_in"] = 10
    (log_ins,) = [plot for plot in watched.plots() if plot.title == "Log-ins"]
    assert log_ins.values[-2:] == (2, 1)
    assert len(log_ins.values) == MINUTES
    assert log_ins.said == "3, at most 2 in a minute"
    assert log_ins.bars == [(MINUTES - 2, 1.0), (MINUTES - 1, 0.5)]
    assert said(watched.plots(), "Latency of the store") == "3.00 ms on average, 4.00 ms in the slowest minute, 2 calls"
    assert said(watched.plots(), "Conflicts").startswith("0,")
    clock.advance(3600)
    assert said(watched.plots(), "Log-ins").startswith("0,")


def test_live_sessions_are_not_counted_too_often(clock: FrozenClock) -> None:
    """Several operators with the page open ask the store once."""
    asked: list[int] = []

    def count() -> int:
        asked.append(1)
        return 5

    watched = Watch(dict, clock)
    assert watched.live(count) == watched.live(count) == 5
    assert len(asked) == 1
    clock.advance(10)
    watched.live(count)
    assert len(asked) == 2


def test_the_page_shows_what_happened(desk: Desk) -> None:
    """Log-ins and ends, as text and as bars, and whose counts they are."""
    cookie = desk.visit("zoe")
    desk.visit("max")
    (handle, _) = desk.handles()
    desk.ask("/end", {"handle": handle})
    status, body = desk.ask("/now")
    assert status == 200
    assert 'aria-label="Log-ins: 2, at most' in body
    assert 'aria-label="Ends: 1, at most' in body
    assert "1 now, in all processes" in body
    assert "of this process alone" in body
    assert "<rect" in body
    assert "style=" not in body
    assert cookie


def test_the_store_is_timed_once(desk: Desk) -> None:
    """Two consoles on the same sessions share the hour."""
    store = desk.sessions.store
    assert watch(desk.sessions) is watch(desk.sessions)
    assert desk.sessions.store is store


async def test_async_calls_are_timed(desk: Desk) -> None:
    """Until their answer is there."""
    await desk.sessions.aopen("x" * 32)
    assert not said(watch(desk.sessions).plots(), "Latency of the store").endswith(" 0 calls")
