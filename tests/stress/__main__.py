"""The long run: ``python -m tests.stress --store redis --operations 200000``. Prints a table."""

from __future__ import annotations

import argparse
import sys

from tests.stress.checker import Fault, Operation
from tests.stress.run import Report, run
from tests.stress.stores import SITES

HEAD = (
    "| store | requests | changes by others met | log-ins | revocations | lost updates | undone ends | outlived a revocation "
    "| beyond the limit | strangers | other faults | seconds |\n"
    "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |"
)


def row(store: str, report: Report) -> str:
    kinds = [fault.kind for fault in report.faults]
    found = [
        sum(kind in ("lost update", "lost session", "wrong counter") for kind in kinds),
        sum(kind in ("undone logout", "overtaken logout", "expired") for kind in kinds),
        kinds.count("outlived a revocation"),
        kinds.count("limit exceeded"),
        kinds.count("stranger"),
        kinds.count("invented"),
    ]
    done = [operation for operation in report.operations if operation.outcome == "ok"]
    numbers = [
        len(report.operations),
        report.counts["conflicts"],
        sum(operation.account is not None for operation in done),
        sum(operation.revokes is not None or operation.op == "revoke" for operation in done),
        *found,
        round(report.seconds),
    ]
    return f"| {store} | {' | '.join(f'{number:,}' for number in numbers)} |"


def story(fault: Fault, operations: list[Operation]) -> list[str]:
    """Return what happened to the login that ``fault`` is about, a line for each request."""
    life = next(each.life or each.begins for each in operations if each.id == fault.operation)
    about = sorted((each for each in operations if life in (each.life, each.begins)), key=lambda each: each.start)
    return [str({name: value for name, value in vars(each).items() if value not in (None, 0, False)}) for each in about]


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
            print(fault, *story(fault, report.operations), sep="\n    ", file=sys.stderr)
        bad = bad or bool(report.faults) or report.outcomes["unknown"] > 0
    return bad


if __name__ == "__main__":
    sys.exit(main())
