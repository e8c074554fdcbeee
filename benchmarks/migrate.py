"""Move sessions with ``sessile migrate`` from one store to the next; kill it half-way each time, and start it again.

    PYTHONPATH=. python benchmarks/migrate.py sqlite redis postgresql --sessions 100000

Stores get a server of their own; the names are those of tests/stress/stores.py. It ends with an exception if anything
is lost or differs. CPU seconds are those of the command alone.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from itertools import pairwise
from pathlib import Path
from typing import Any

from tests.migration.sessions import SECRET, answer, assert_equal, close, fill, records, records_of, under_asyncio
from tests.stress.stores import SITES, Site

from sessile import Sessions
from sessile.stores import from_url

SESSILE = Path(sys.executable).with_name("sessile")


def url_of(site: Site) -> str:
    if site.store == "dynamodb-moto":
        os.environ |= {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "a", "AWS_DEFAULT_REGION": "us-east-1"}
        return f"dynamodb://shared?endpoint={site.url}&create_table=true&timeout=20"
    return f"{site.url}{'&' if '?' in site.url else '?'}timeout=20"


async def number_in(store: Any) -> int:
    if hasattr(store, "count"):
        return int(await answer(store.count()))
    lines = (await store._connected().ask(b"stats\r\n", time.monotonic() + 20)).field("curr_items")
    return int(lines)


async def kill_half_way(command: list[str], store: Any, sessions: int) -> int:
    """Start ``command``, and kill it when half of the sessions are there. Return how many were, then."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while (there := await number_in(store)) < sessions // 2:
        assert process.poll() is None, "it has ended before it could be killed"
        await asyncio.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait()
    return there


def completed(command: list[str]) -> dict[str, Any]:
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    report: dict[str, Any] = json.loads(done.stdout)
    return report


def cpu() -> float:
    """Return the CPU seconds of the children that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


async def move(source: str, target: str, urls: list[str], sessions: int, journal: str) -> None:
    """Move all from the one to the other, and print what came of it."""
    old, new = (from_url(url, time.time) for url in urls)
    before = await records(old)
    command = [str(SESSILE), "migrate", "--from", urls[0], "--to", urls[1], "--journal", journal]
    begun, used = time.monotonic(), cpu()
    there = await kill_half_way([*command, "--no-verify"], under_asyncio(new), sessions)
    killed = time.monotonic() - begun
    report = completed([*command, "--json"])
    used = cpu() - used
    found = await records(new) if hasattr(new, "all") else await records_of(new, before)
    # memcached counts whole seconds when it is written and when it is read, by a clock that ticks once in each.
    assert_equal(before, found, 3 if target == "memcached" else 2)
    assert report["matching"] == len(before)
    assert report["present"] + report["copied"] == len(before)
    users = Sessions(secret=SECRET, store=new), Sessions(secret=SECRET, store=old)
    for number in range(0, 10, 3):
        theirs, ours = [{one._sid for one in await site.aof_user(f"user-{number}")} for site in users]
        assert theirs == ours
        assert theirs
    again = completed([*command, "--json"])
    assert again["present"] == again["matching"] == len(before)
    print(
        f"{source} -> {target}: {len(before):,} records equal; killed at {there:,} after {killed:.0f} s, then "
        f"{report['copied']:,} more and all compared in {report['seconds']:.0f} s ({used:.0f} CPU seconds in all); "
        f"a second pass {again['seconds']:.0f} s",
        flush=True,
    )
    await close(old, new)


async def main(names: list[str], sessions: int) -> None:
    with ExitStack() as ending:
        folder = ending.enter_context(tempfile.TemporaryDirectory(prefix="sessile-"))
        urls = [url_of(ending.enter_context(SITES[name]())) for name in names]
        first = from_url(urls[0], time.time)
        begun = time.monotonic()
        await fill(first, sessions)
        await close(first)
        print(f"{names[0]}: filled in {time.monotonic() - begun:.0f} s", flush=True)
        for number, pair in enumerate(pairwise(zip(names, urls, strict=True))):
            (source, one), (target, other) = pair
            await move(source, target, [one, other], sessions, f"{folder}/journal-{number}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("stores", nargs="*", default=["sqlite", "redis", "file"])
    parser.add_argument("--sessions", type=int, default=10_000)
    arguments = parser.parse_args()
    asyncio.run(main(arguments.stores, arguments.sessions))
