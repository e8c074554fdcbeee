"""Whether the list of a user's sessions depends on how many sessions there are.

    python -m benchmarks.listing --sessions 100000 --store redis --store postgresql

Log-ins of users with 100 sessions each fill a store, through ``Sessions`` as in a request. The sessions of two
users, one with 10 and one with 100, are listed when there are 1,000 sessions and when there are all: milliseconds,
best of several. Columns that stay as they are mean that a list costs what its own sessions cost. Without ``--store``,
every store. The servers are those of the tests, on this machine.
"""

from __future__ import annotations

import argparse
import time
from typing import Any

from tests.conftest import SECRET
from tests.stress.stores import SITES, open_store

from sessile import RequestFacts, Sessions

FEW, MANY = 10, 100
ROUNDS = 7


def log_in(sessions: Sessions, user: str, times: int) -> None:
    for _ in range(times):
        session = sessions.engine.begin_sync(b"", RequestFacts)
        session.login(user, device="Firefox")
        sessions.engine.commit_sync(session)


def listing(sessions: Sessions, user: str, number: int) -> float:
    """Return how many milliseconds it takes to list the sessions of ``user``, of which there are ``number``."""
    fastest = float("inf")
    for _ in range(ROUNDS):
        begin = time.perf_counter()
        found = sessions.of_user(user)
        fastest = min(fastest, time.perf_counter() - begin)
        assert len(found) == number
        assert {handle.user_id for handle in found} == {user}
    return fastest * 1000


def measure(store: Any, total: int) -> list[float]:
    """Return the four figures of a store."""
    sessions = Sessions(secret=SECRET, store=store)
    log_in(sessions, "few", FEW)
    log_in(sessions, "many", MANY)
    made, user, figures = FEW + MANY, 0, []
    for size in (1000, total):
        while made < size:
            each = min(MANY, size - made)
            log_in(sessions, f"user{user}", each)
            made, user = made + each, user + 1
        figures += [listing(sessions, "few", FEW), listing(sessions, "many", MANY)]
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.listing", description=__doc__.partition("\n")[0])
    parser.add_argument("--store", choices=list(SITES), action="append", help="one or several; else all")
    parser.add_argument("--sessions", type=int, default=10_000)
    given = parser.parse_args()
    print(f"| store | 10 of 1,000 | 100 of 1,000 | 10 of {given.sessions:,} | 100 of {given.sessions:,} |")
    print("| --- | --- | --- | --- | --- |", flush=True)
    for name in given.store or list(SITES):
        with SITES[name]() as site:
            url = site.url if name != "memory" else f"memory://?max_sessions={2 * given.sessions}"
            store = open_store(name, url, 60.0)
            figures = measure(store, given.sessions)
            if hasattr(store, "close"):
                store.close()
        print(f"| {name} | {' | '.join(f'{figure:.2f}' for figure in figures)} |", flush=True)


if __name__ == "__main__":
    main()
