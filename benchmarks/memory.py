"""What a session weighs in the memory store, and whether a million of them slow it down.

    python benchmarks/memory.py

Each size is measured in a process of its own. The weight is what the process has grown by, divided by the number of
sessions: payload, id, expiry and bookkeeping. The times are means over the last tenth of the sessions, so that the
store is full when they are taken; flat columns mean that nothing depends on how many there are.
"""

from __future__ import annotations

import json
import secrets
import subprocess
import sys
import time
from pathlib import Path

from sessile.stores.memory import MemoryStore

SIZES = (10_000, 100_000, 1_000_000)
PAYLOAD_BYTES = 300
LIFE = 86_400.0


def resident() -> int:
    """Return the bytes of memory that this process uses."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise OSError("this system does not say")


def measure(number: int) -> dict[str, float]:
    """Fill a store, and return what it weighs and how long its verbs take, in microseconds."""
    now = [1_700_000_000.0]
    store = MemoryStore(max_sessions=number, clock=lambda: now[0])
    sids = [secrets.token_urlsafe(24) for _ in range(number)]
    tenth = number // 10
    before = resident()
    for position, sid in enumerate(sids[:-tenth]):
        now[0] = 1_700_000_000.0 + position * LIFE / 2 / number
        store.create(sid, _payload(sid), LIFE)
    begin = time.perf_counter()
    for sid in sids[-tenth:]:
        store.create(sid, _payload(sid), LIFE)
    create = time.perf_counter() - begin
    weight = (resident() - before) / number
    begin = time.perf_counter()
    for sid in sids[-tenth:]:
        store.load(sid)
    load = time.perf_counter() - begin
    begin = time.perf_counter()
    for sid in sids[-tenth:]:
        store.touch(sid, LIFE)
    touch = time.perf_counter() - begin
    now[0] += LIFE + 1
    begin = time.perf_counter()
    removed = store.prune()
    expire = (time.perf_counter() - begin) / removed
    assert removed == number
    times = {"create": create, "load": load, "touch": touch}
    return {"bytes": weight, "expire": expire * 1e6} | {verb: took / tenth * 1e6 for verb, took in times.items()}


def _payload(sid: str) -> bytes:
    return (sid * 10).encode()[:PAYLOAD_BYTES]


def main() -> None:
    """Measure each size in a process of its own, and print the table."""
    print(f"sessions of {PAYLOAD_BYTES} bytes; microseconds a call\n")
    print("|  sessions | bytes a session | create | load | touch | expire |")
    print("|----------:|----------------:|-------:|-----:|------:|-------:|")
    for size in SIZES:
        outcome = subprocess.run([sys.executable, __file__, str(size)], capture_output=True, text=True, check=True)
        row = json.loads(outcome.stdout)
        print(
            f"| {size:9,} | {row['bytes']:15.0f} | {row['create']:6.2f} | {row['load']:4.2f} "
            f"| {row['touch']:5.2f} | {row['expire']:6.2f} |"
        )


if __name__ == "__main__":
    if len(sys.argv) > 1:
        print(json.dumps(measure(int(sys.argv[1]))))
    else:
        main()
