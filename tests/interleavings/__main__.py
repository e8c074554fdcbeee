# The long run: every pair under each set of options, and the triples, with faults at every step.
"""``python -m tests.interleavings``: run everything, and write the table into docs/explanation/races.md."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator, Sequence
from multiprocessing import Pool
from pathlib import Path
from typing import NamedTuple

from tests.interleavings.checking import timed
from tests.interleavings.known import known_of
from tests.interleavings.scenarios import PAIRED, Scenario, pairs, triples

PAGE = Path(__file__).parents[2] / "docs/explanation/races.md"
BEGIN, END = "<!-- interleavings: begin -->\n", "<!-- interleavings: end -->\n"

HEAD = (
    "| scenarios | number | orders | with a crash | with a lost answer | outcomes | not as they should be | seconds |\n"
)
RULE = (
    "| --------- | ------ | ------ | ------------ | ------------------ | -------- | --------------------- | ------- |\n"
)


class Row(NamedTuple):
    """A line of the table."""

    name: str
    number: int
    orders: int
    crashes: int
    lost: int
    outcomes: int
    violations: int
    seconds: float

    def __str__(self) -> str:
        numbers = (f"{each:,}" for each in self[1:-1])
        return f"| {self.name} | {' | '.join(numbers)} | {self.seconds:.0f} |\n"


def groups(names: Sequence[str]) -> Iterator[tuple[str, list[Scenario]]]:
    """Yield what the rows of the table are about."""
    for name in names:
        yield f"pairs, {name}", list(pairs(name))
        yield f"triples, {name}", list(triples(name))


def main(arguments: Sequence[str]) -> int:
    """Run, print, and write the table if everything was run. Return 1 if something was found that is not known."""
    parser = argparse.ArgumentParser(prog="python -m tests.interleavings", description=__doc__)
    parser.add_argument("--options", nargs="+", choices=PAIRED, default=list(PAIRED), metavar="NAME")
    parser.add_argument("--processes", type=int, default=2)
    given = parser.parse_args(arguments)
    rows, new, runs, points, began = [], 0, 0, 0, time.monotonic()
    with Pool(given.processes, maxtasksperchild=50) as pool:
        for name, scenarios in groups(given.options):
            row = Row(name, len(scenarios), 0, 0, 0, 0, 0, 0.0)
            for scenario, report, seconds in pool.imap(timed, scenarios):
                runs, points = runs + report.runs, points + report.points
                row = Row(
                    name,
                    row.number,
                    row.orders + report.orders,
                    row.crashes + report.crashes,
                    row.lost + report.lost,
                    row.outcomes + report.outcomes,
                    row.violations + bool(report.violations),
                    row.seconds + seconds,
                )
                if set(report.violations) != set(known_of(scenario)):
                    new += 1
                    print(f"{scenario}: found {report.violations}, known {known_of(scenario)}", flush=True)
            rows.append(row)
            print(row, end="", flush=True)
    busy = sum(row.seconds for row in rows)
    schedules = sum(row.orders + row.crashes + row.lost for row in rows)
    summary = (
        f"{schedules:,} schedules, at {points:,} points where orders meet, by {runs:,} runs of requests: "
        f"{points / busy:,.0f} points a second on one processor, {time.monotonic() - began:.0f} seconds on "
        f"{given.processes}.\n"
    )
    print(summary)
    if set(given.options) == set(PAIRED):
        write(HEAD + RULE + "".join(map(str, rows)) + "\n" + summary)
    return 1 if new else 0


def write(table: str) -> None:
    """Put the table into the page."""
    text = PAGE.read_text("utf-8")
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    PAGE.write_text(f"{before}{BEGIN}\n{table}\n{END}{after}", "utf-8")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
