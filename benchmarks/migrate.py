"""Move sessions with ``holdfast migrate`` from one store to another, kill it half-way, and start it again.

    python benchmarks/migrate.py sqlite redis --sessions 100000

Both stores get a server of their own; names are those of tests/stress/stores.py. It ends with an exception if anything
is lost or differs.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from tests.migration.sessions import SECRET, answer, assert_equal, close, fill, records, records_of, under_asyncio
from tests.stress.stores import SITES, Site

from holdfast import Sessions
from holdfast.stores import from_url

HOLDFAST = Path(sys.executable).with_name("holdfast")


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


async def main(source: str, target: str, sessions: int) -> None:
    with ExitStack() as ending:
        folder = ending.enter_context(tempfile.TemporaryDirectory(prefix="holdfast-"))
        urls = [url_of(ending.enter_context(SITES[name]())) for name in (source, target)]
        old, new = (from_url(url, time.time) for url in urls)
        begun = time.monotonic()
        await fill(old, sessions)
        print(f"{source}: filled in {time.monotonic() - begun:.0f} s", flush=True)
        before = await records(old)
        command = [str(HOLDFAST), "migrate", "--from", urls[0], "--to", urls[1], "--journal", f"{folder}/journal"]
        begun = time.monotonic()
        there = await kill_half_way([*command, "--no-verify"], under_asyncio(new), sessions)
        killed = time.monotonic() - begun
        report = completed([*command, "--json"])
        found = await records(new) if hasattr(new, "all") else await records_of(new, before)
        assert_equal(before, found)
        assert report["matching"] == len(before)
        assert report["present"] + report["copied"] == len(before)
        users = Sessions(secret=SECRET, store=new), Sessions(secret=SECRET, store=old)
        for number in range(0, 30, 3):
            theirs, ours = [{one._sid for one in await site.of_user(f"user-{number}")} for site in users]
            assert theirs == ours
            assert theirs
        again = completed([*command, "--json"])
        assert again["present"] == again["matching"] == len(before)
        print(
            f"{source} -> {target}: {len(before):,} records equal; killed at {there:,} after {killed:.1f} s, "
            f"then {report['copied']:,} more and all compared in {report['seconds']:.1f} s; "
            f"a second pass {again['seconds']:.1f} s",
            flush=True,
        )
        await close(old, new)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("source")
    parser.add_argument("target")
    parser.add_argument("--sessions", type=int, default=100_000)
    arguments = parser.parse_args()
    asyncio.run(main(arguments.source, arguments.target, arguments.sessions))
