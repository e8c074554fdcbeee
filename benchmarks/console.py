# What an operator waits for: the first page, of a store with many sessions. Each page is asked for several times, and
# the median and the longest are told. The core answers; a browser adds its own time to that.
"""How long the pages of the console take on a large store: python -m benchmarks.console [URL of a store]"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from pathlib import Path

from sessile import RequestFacts, Sessions
from sessile.cli.target import Site
from sessile.console.core import Asked, Console

NUMBER = 100_000
ROUNDS = 9


def main() -> None:
    """Fill the store, and time the pages."""
    with tempfile.TemporaryDirectory() as folder:
        store = sys.argv[1] if len(sys.argv) > 1 else f"sqlite:///{Path(folder) / 'sessions.db'}"
        sessions = Sessions(secret="a long random text that nobody else knows", store=store)
        try:
            _fill(sessions)
            console = Console(Site(sessions, store, app=True, keys=1))
            print(f"{store.partition(':')[0]}, {NUMBER:,} sessions, milliseconds: median and longest of {ROUNDS}")
            for name, path, query in (
                ("first page", "/", {}),
                ("now", "/now", {}),
                ("of a user", "/", {"user": "user7"}),
                ("page 20", "/", {"from": "950"}),
                ("nobody fits", "/", {"show": "idle"}),
            ):
                took = [_time(console, path, query) for _ in range(ROUNDS)]
                print(f"{name:12} {statistics.median(took):8.1f} {max(took):8.1f}")
        finally:
            sessions.close()


def _fill(sessions: Sessions) -> None:
    session = sessions.engine.begin_sync(b"", RequestFacts)
    session.login("user7")
    session["cart"] = "x" * 200
    sessions.engine.commit_sync(session)
    record = sessions.store.load(session.id)
    for number in range(NUMBER - 1):
        sessions.store.create(f"{number:032}", record.payload, 86_400.0)


def _time(console: Console, path: str, query: dict[str, str]) -> float:
    begun = time.perf_counter()
    answer = console.answer(Asked("GET", path, query, "zoe"))
    took = (time.perf_counter() - begun) * 1000
    assert answer.status == 200, answer.body
    return took


if __name__ == "__main__":
    main()
