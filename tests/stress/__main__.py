"""The long run: ``python -m tests.stress --store redis --operations 200000``. Prints a table."""

from __future__ import annotations

import argparse
import sys

from tests.stress.run import Report, run
from tests.stress.stores import SITES

HEAD = (
    "| store | requests | changes by others met | joined | lost updates | undone logouts | strangers | other faults | seconds |\n"
    "| --- | --- | --- | --- | --- | --- | --- | --- | --- |"
)


def row(store: str, report: Report) -> str:
    kinds = [fault.kind for fault in report.faults]
    found = [
        sum(kind in ("lost update", "lost session", "wrong counter") for kind in kinds),
        sum(kind in ("undone logout", "overtaken logout", "expired") for kind in kinds),
        kinds.count("stranger"),
        kinds.count("invented"),
    ]
    numbers = [
        len(report.operations),
        report.counts["conflicts"],
        report.counts["merged"],
        *found,
        round(report.seconds),
    ]
    return f"| {store} | {' | '.join(f'{number:,}' for number in numbers)} |"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.stress", description=__doc__)
    parser.add_argument("--store", choices=list(SITES), action="append", help="one or several; else all")
    parser.add_argument("--operations", type=int, default=200_000)
    parser.add_argument("--processes", type=int, default=3)
    parser.add_argument("--visitors", type=int, default=4, help="at once, in each process")
    parser.add_argument("--renew-every", type=float, default=0.0, help="seconds; then a session gets a new id")
    given = parser.parse_args()
    print(HEAD, flush=True)
    bad = False
    for name in given.store or list(SITES):
        with SITES[name]() as site:
            report = run(
                site,
                operations=given.operations,
                processes=given.processes,
                visitors=given.visitors,
                timeout=60.0,
                renew_every=given.renew_every,
            )
        print(row(name, report), flush=True)
        print(dict(report.outcomes), dict(report.counts), dict(report.errors), file=sys.stderr)
        for fault in report.faults[:10]:
            print(fault, file=sys.stderr)
        bad = bad or bool(report.faults) or report.outcomes["unknown"] > 0
    return bad


if __name__ == "__main__":
    sys.exit(main())
