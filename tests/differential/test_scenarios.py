# One test for each thing that a visitor of one kind can do; inside it, all options, cookies and transports.
"""Every difference from express-session is a row of docs/departures.md, or a bug."""

from __future__ import annotations

import asyncio
import re
from itertools import chain
from pathlib import Path

import pytest

from tests.differential.departures import EXPLAINED, names, predict, without_views
from tests.differential.driver import ByHeader, Way, run
from tests.differential.express import Express
from tests.differential.outcome import Step, difference
from tests.differential.scenarios import SCENARIOS, Scenario

PAGE = Path(__file__).parents[2] / "docs" / "departures.md"

PLAINLY = Way()
#: The same result must come of a store that waits, and of handlers that look at nothing but what they are after.
OTHERWISE = Way(waiting=True, quiet=True)
EVERY = 7
#: Nor does it matter how the token travels. A header has one token, and no path that could set two apart.
BY_HEADER = Way(ByHeader())
ONE_TOKEN = ("new", "existing", "unknown", "tampered", "expired", "signed last year", "signed by another")


def goes_by_header(scenario: Scenario) -> bool:
    """Tell whether the same is to be expected of ``scenario`` where the token travels in a header."""
    return (
        scenario.visitor in ONE_TOKEN and scenario.cookie in ("plain", "max age") and "path /app" not in scenario.verbs
    )


#: What was predicted, by scenario. The last tests look at all of them.
PREDICTED: dict[str, list[Step]] = {}


def predicted(scenario: Scenario, express: Express) -> tuple[str | None, list[Step]]:
    story = predict(scenario, express)
    PREDICTED[scenario.key] = story.steps
    return story.record, story.steps


def compare(scenarios: list[Scenario], express: Express) -> None:
    """Run ``scenarios`` on both sides, and fail on the first that differs."""
    express.run(scenarios)

    async def sessile() -> None:
        for number, scenario in enumerate(scenarios):
            record, expected = predicted(scenario, express)
            pairs = [(expected, await run(scenario, record, PLAINLY))]
            if number % EVERY == 0:
                pairs.append((without_views(scenario, expected), await run(scenario, record, OTHERWISE)))
            if goes_by_header(scenario) and number % 2:
                pairs.append((in_headers(expected), await run(scenario, record, BY_HEADER)))
            for wanted, actual in pairs:
                if wanted != actual:
                    pytest.fail(f"{scenario}\n{difference(wanted, actual)}", pytrace=False)

    asyncio.run(sessile())


def in_headers(steps: list[Step]) -> list[Step]:
    """Return what is expected where the token travels in a header instead of a cookie."""
    return [
        {
            **step,
            "cookies": [{"value": cookie["value"]} for cookie in step["cookies"]],
            "caches": [step["caches"][0] and "X-Session-Token", step["caches"][1]],
        }
        for step in steps
    ]


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
