# The table of decisions of express-session, as its source has it: what a request asks of the store, and whether a
# Set-Cookie leaves. Each row is a test, under all sixteen combinations of the four options that the rows depend on,
# for a cookie that ends and for one that does not. Where sessile decides otherwise, its own decision and the name of
# the departure stand beside.
"""The decision table, row by row, on both sides."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from tests.differential.driver import Way, run
from tests.differential.express import Express
from tests.differential.outcome import Step
from tests.differential.scenarios import OPTIONS, Scenario

PAGE = Path(__file__).parents[2] / "docs" / "departures.md"


@dataclass(frozen=True)
class Case:
    """The options of one request."""

    resave: bool
    save_uninitialized: bool
    rolling: bool
    unset: str
    #: Whether the cookie has an end.
    ends: bool

    @property
    def destroys(self) -> bool:
        return self.unset == "destroy"


#: What the store is asked, and what becomes of the browser's cookie: "sent", "taken away", or "-".
Decision = tuple[str, str]
Decide = Callable[[Case], Decision]


def sent(condition: bool) -> str:
    return "sent" if condition else "-"


@dataclass(frozen=True)
class Row:
    """One row: who comes, what the handler does, and what follows."""

    name: str
    visitor: str
    action: str
    express: Decide
    #: What sessile decides where that is not the same, and the departure that says why.
    sessile: Decide | None = None
    departures: tuple[str, ...] = ()


ROWS = [
    Row("new, unmodified", "new", "looked at", lambda o: ("set", "sent") if o.save_uninitialized else ("", "-")),
    Row(
        "new, modified and reverted",
        "new",
        "changed and reverted",
        lambda o: ("set", "sent") if o.save_uninitialized else ("", "-"),
    ),
    Row("new, modified", "new", "modified", lambda o: ("set", "sent")),
    Row("new, modified, save() called", "new", "modified, saved", lambda o: ("set", "sent")),
    Row(
        "new, unmodified, save() called",
        "new",
        "saved",
        lambda o: ("set", sent(o.save_uninitialized)),
        lambda o: ("set", "sent") if o.save_uninitialized else ("", "-"),
        ("nothing-is-not-saved",),
    ),
    Row(
        "existing, unmodified",
        "existing",
        "looked at",
        lambda o: ("get set" if o.resave else "get touch", sent(o.rolling)),
    ),
    Row(
        "existing, modified and reverted",
        "existing",
        "changed and reverted",
        lambda o: ("get set" if o.resave else "get touch", sent(o.rolling)),
    ),
    Row("existing, modified", "existing", "modified", lambda o: ("get set", sent(o.rolling or o.ends))),
    Row("existing, modified in depth", "existing", "nested change", lambda o: ("get set", sent(o.rolling or o.ends))),
    Row(
        "existing, only cookie changed",
        "existing",
        "attribute changed",
        lambda o: ("get set" if o.resave else "get touch", sent(o.rolling)),
        lambda o: ("get set", "sent"),
        ("cookie-change-is-a-change",),
    ),
    Row(
        "existing, modified, save() called",
        "existing",
        "modified, saved",
        lambda o: ("get set touch", sent(o.rolling or o.ends)),
        lambda o: ("get set", sent(o.rolling or o.ends)),
        ("one-write-is-enough",),
    ),
    Row(
        "existing, regenerate()",
        "existing",
        "regenerated",
        lambda o: ("get destroy set", "sent"),
        lambda o: ("get set destroy set", "sent"),
        ("logout-follows-a-new-id",),
    ),
    Row(
        "new, regenerate()",
        "new",
        "regenerated",
        lambda o: ("destroy set", "sent"),
        lambda o: ("set", "sent"),
        ("store-is-not-asked-in-vain",),
    ),
    Row(
        "existing, destroy()",
        "existing",
        "destroyed",
        lambda o: ("get destroy destroy" if o.destroys else "get destroy", "-"),
        lambda o: ("get set destroy", "taken away"),
        ("destroy-takes-the-cookie-away", "store-is-not-asked-in-vain", "logout-follows-a-new-id"),
    ),
    Row(
        "new, destroy()",
        "new",
        "destroyed",
        lambda o: ("destroy destroy" if o.destroys else "destroy", "-"),
        lambda o: ("", "-"),
        ("store-is-not-asked-in-vain",),
    ),
    Row(
        "existing, req.session = null",
        "existing",
        "set to null",
        lambda o: ("get destroy" if o.destroys else "get", "-"),
        lambda o: ("get set destroy", "taken away") if o.destroys else ("get", "-"),
        ("destroy-takes-the-cookie-away", "logout-follows-a-new-id"),
    ),
    Row(
        "existing, req.session deleted",
        "existing",
        "removed",
        lambda o: ("get destroy" if o.destroys else "get", "-"),
        lambda o: ("get set destroy", "taken away") if o.destroys else ("get", "-"),
        ("destroy-takes-the-cookie-away", "logout-follows-a-new-id"),
    ),
    Row(
        "valid signature, unknown sid",
        "unknown",
        "looked at",
        lambda o: ("get set", "sent") if o.save_uninitialized else ("get", "-"),
    ),
    Row("valid signature, unknown sid, modified", "unknown", "modified", lambda o: ("get set", "sent")),
    Row("bad signature", "tampered", "looked at", lambda o: ("set", "sent") if o.save_uninitialized else ("", "-")),
]


def decision(step: Step) -> Decision:
    """Return what was decided in a request."""
    cookies = step["cookies"]
    cookie = "-" if not cookies else "sent" if cookies[0]["value"] else "taken away"
    return " ".join(verb for verb, _ in step["calls"]), cookie


def variants(row: Row) -> list[tuple[Case, Scenario]]:
    found = []
    for options, cookie in product(OPTIONS, ("plain", "max age")):
        case = Case(*options.values(), ends=cookie == "max age")
        found.append((case, Scenario(row.visitor, row.action, cookie, options=options)))
    return found


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name.replace(" ", "-"))
def test_row(row: Row, express: Express) -> None:
    """The store is asked, and the cookie sent, as the row says."""
    express.run(scenario for _, scenario in variants(row))

    async def sessile(scenario: Scenario) -> Any:
        return (await run(scenario, express[scenario].record, Way(quiet=True)))[0]

    for case, scenario in variants(row):
        assert decision(express[scenario].steps[0]) == row.express(case), f"express-session: {case}"
        ours = decision(asyncio.run(sessile(scenario)))
        assert ours == (row.sessile or row.express)(case), f"sessile: {case}"


@pytest.mark.parametrize("row", [row for row in ROWS if row.sessile], ids=lambda row: row.name.replace(" ", "-"))
def test_a_row_of_our_own_differs_and_is_documented(row: Row) -> None:
    """A decision of our own is one, and docs/departures.md says why."""
    assert any(row.express(case) != row.sessile(case) for case, _ in variants(row) if row.sessile)
    for name in row.departures:
        assert f"| `{name}` |" in PAGE.read_text("utf-8")
