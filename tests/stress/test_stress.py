"""No update is lost, no logout undone, and nobody sees a stranger's session: on each store, with several processes.

A short run; the long one is ``python -m tests.stress``. ``memory`` is a store of one process: there it is threads. The
servers of ``mongodb-stub`` and ``dynamodb-moto`` are stand-ins, which prove our part and not what the real ones do.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from sessile.testing import Link
from tests.stress.run import Report, Workers, run
from tests.stress.stores import SITES, Site

REMOTE = ["redis", "postgresql", "mysql", "sqlalchemy", "mongodb", "memcached", "dynamodb-moto"]


@pytest.mark.parametrize("store", SITES)
def test_nothing_is_lost_undone_or_mixed_up(store: str, sites: Callable[[str], Site]) -> None:
    """Every acknowledged write is there or was overwritten, no id answers after its end, nobody sees another's."""
    report = run(sites(store), operations=150 if store == "dynamodb-moto" else 600)
    assert report.faults == []
    assert report.errors == {}
    assert report.counts["conflicts"] > 0, "nobody met anybody: this proves nothing"


@pytest.mark.parametrize("store", ["memory", "sqlite", "redis"])
def test_nor_when_sessions_get_new_ids_by_themselves(store: str, sites: Callable[[str], Site]) -> None:
    report = run(sites(store), operations=600, renew_every=0.05)
    assert report.faults == []
    renewed = [each for each in report.operations if each.new and each.op in ("read", "write", "incr")]
    assert len(renewed) > 5, "no session got one: this proves nothing"


class Progress:
    """What the workers have written down by now."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def count(self, *outcomes: str) -> int:
        texts = [path.read_bytes() for path in self._folder.glob("*.history")]
        return sum(text.count(b'"outcome":"%b"' % outcome.encode()) for text in texts for outcome in outcomes)

    def more(self, number: int, *outcomes: str) -> None:
        """Wait until ``number`` more requests have ended so."""
        goal, deadline = self.count(*outcomes) + number, time.monotonic() + 60
        while self.count(*outcomes) < goal:
            assert time.monotonic() < deadline, f"nobody is {outcomes[0]} any more"
            time.sleep(0.005)


def in_trouble(site: Site, faults: Callable[[Workers, Progress, Link | None], None], forgets: bool = False) -> Report:
    """Return what came of a run with ``faults``, during which a call has half a second."""

    def cause(workers: Workers, folder: Path) -> None:
        faults(workers, Progress(folder), link)

    # As many as are needed until all faults have happened.
    enough = 10**6
    if not site.port:
        link = None
        return run(site, operations=enough, processes=2, faults=cause, timeout=5.0)
    with Link(site.port) as link:
        url = site.at(link.port)
        return run(site, operations=enough, processes=2, timeout=0.5, faults=cause, url=url, forgets=forgets)


@pytest.mark.parametrize("store", REMOTE)
def test_nor_when_the_network_fails(store: str, sites: Callable[[str], Site]) -> None:
    """Connections that break between request and reply, replies that come too late or never, nobody who answers."""
    chance = random.Random(store)

    def faults(workers: Workers, progress: Progress, link: Link | None) -> None:
        assert link is not None
        progress.more(20, "ok")
        for _ in range(5):
            link.mute()
            time.sleep(chance.random() * 0.01)
            link.cut()
            link.resume()
            progress.more(5, "ok")
        link.delay(0.7)
        progress.more(4, "unknown")
        link.delay(0)
        progress.more(10, "ok")
        for fault in (link.silence, link.mute, link.refuse):
            fault()
            progress.more(3, "unknown")
            link.resume()
            progress.more(10, "ok")

    report = in_trouble(sites(store), faults)
    assert report.faults == []
    assert report.outcomes["unknown"] > 10


@pytest.mark.parametrize("store", REMOTE)
def test_nor_when_the_server_is_killed(store: str, sites: Callable[[str], Site]) -> None:
    """It comes back with all that it had acknowledged; or with nothing, where that is how it is: then to nobody else."""
    site = sites(store)

    def faults(workers: Workers, progress: Progress, link: Link | None) -> None:
        for _ in range(2):
            progress.more(100, "ok")
            site.server.kill()
            progress.more(3, "unknown")
            site.server.start()
        progress.more(100, "ok")

    report = in_trouble(site, faults, site.forgets)
    assert report.faults == []
    assert report.outcomes["unknown"] > 5


@pytest.mark.parametrize("store", [name for name in SITES if name != "memory"])
def test_nor_when_processes_are_killed_amid_their_work(store: str, sites: Callable[[str], Site]) -> None:
    """SIGKILL, at moments that nobody chose. What they had acknowledged is there, and what they held is let go."""
    chance = random.Random(store)

    def faults(workers: Workers, progress: Progress, link: Link | None) -> None:
        for _ in range(3):
            progress.more(30, "ok")
            time.sleep(chance.random() * 0.02)
            workers.kill_one(chance)
        progress.more(100, "ok")

    assert in_trouble(sites(store), faults).faults == []
