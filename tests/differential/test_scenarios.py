# One test for each thing that a visitor of one kind can do; inside it, all options, cookies and transports.
"""Every difference from express-session is a row of docs/departures.md, or a bug."""

from __future__ import annotations

import asyncio
import re
from itertools import chain
from pathlib import Path

import pytest

from tests.differential.departures import EXPLAINED, names, predict, without_views
from tests.differential.driver import Way, run
from tests.differential.express import Express
from tests.differential.outcome import Step, difference
from tests.differential.scenarios import SCENARIOS, Scenario

PAGE = Path(__file__).parents[2] / "docs" / "departures.md"

PLAINLY = Way()
#: The same result must come of a store that waits, and of handlers that look at nothing but what they are after.
OTHERWISE = Way(waiting=True, quiet=True)
EVERY = 7

#: What was predicted, by scenario. The last tests look at all of them.
PREDICTED: dict[str, list[Step]] = {}


def predicted(scenario: Scenario, express: Express) -> tuple[str | None, list[Step]]:
    story = predict(scenario, express)
    PREDICTED[scenario.key] = story.steps
    return story.record, story.steps


def compare(scenarios: list[Scenario], express: Express) -> None:
    """Run ``scenarios`` on both sides, and fail on the first that differs."""
    express.run(scenarios)

    async def holdfast() -> None:
        for number, scenario in enumerate(scenarios):
            record, expected = predicted(scenario, express)
            pairs = [(expected, await run(scenario, record, PLAINLY))]
            if number % EVERY == 0:
                pairs.append((without_views(scenario, expected), await run(scenario, record, OTHERWISE)))
            for wanted, actual in pairs:
                if wanted != actual:
                    pytest.fail(f"{scenario}\n{difference(wanted, actual)}", pytrace=False)

    asyncio.run(holdfast())


@pytest.mark.parametrize(("visitor", "action"), SCENARIOS, ids=lambda value: value.replace(" ", "-").replace(",", ""))
def test_both_sides_agree(visitor: str, action: str, express: Express) -> None:
    """What leaves, what is stored, what the store was asked and what handlers saw is the same, or a known departure."""
    compare(SCENARIOS[visitor, action], express)


def test_there_are_enough_scenarios() -> None:
    """So many that a rule which is changed by accident is noticed."""
    assert sum(map(len, SCENARIOS.values())) >= 10_000


@pytest.fixture
def everything(express: Express) -> None:
    """What the tests before have done, or what is left of it if they were not all run."""
    for scenario in chain.from_iterable(SCENARIOS.values()):
        if scenario.key not in PREDICTED:
            predicted(scenario, express)


@pytest.mark.usefixtures("everything")
@pytest.mark.parametrize("name", names())
def test_each_departure_explains_something(name: str) -> None:
    """An explanation that nothing needs is dead, and hides the next difference."""
    assert EXPLAINED[name] > 0


@pytest.mark.parametrize("name", names())
def test_each_departure_is_a_row(name: str) -> None:
    """What the harness excuses is documented, under the name that the harness uses."""
    assert f"| `{name}` |" in PAGE.read_text("utf-8")


def test_names_of_rows_are_unique() -> None:
    """A name says which row is meant."""
    rows = re.findall(r"^\| `([a-z0-9-]+)` \|", PAGE.read_text("utf-8"), re.MULTILINE)
    assert len(rows) == len(set(rows)) > len(names())
