"""The table of the rules, and what it says at the head of its own module."""

from __future__ import annotations

import inspect
import re
from typing import Any

import pytest

from sessile import CookieOptions
from sessile._records.tombstone import TOMBSTONE, bury
from sessile._session import lifecycle
from sessile._session.lifecycle import OPTIONS, RULES, Moved, Verdict
from sessile._session.plan import Browser, Operation, Outcome, Rule
from sessile.options import Options
from sessile.stores.base import Record
from tests.conftest import SECRET

WORDS = {
    Operation.NOTHING: "-",
    Browser.NOTHING: "-",
    Browser.SEND: "gets the cookie",
    Browser.SEND_IF_IT_ENDS: "gets it if it has an end",
    Browser.EXPIRE: "loses the cookie",
}


def test_every_state_has_a_rule() -> None:
    """The table is complete."""
    assert set(RULES) == set(Outcome)


def test_the_comment_at_the_head_of_the_module_is_the_table() -> None:
    """A reader may believe it."""
    lines = [line for line in inspect.getsource(lifecycle).splitlines() if re.match(r"#   [A-Z]+ {2,}", line)]
    told = {}
    for line in lines:
        cells = re.split(r" {2,}", line[4:].strip())
        told[cells[0]] = (cells[-2], cells[-1])
    assert told == {
        state.name: (WORDS.get(rule.operation, rule.operation.value), WORDS[rule.browser])
        for state, rule in RULES.items()
    }


@pytest.mark.parametrize(("name", "value", "state", "operation", "browser"), OPTIONS)
def test_each_option_changes_its_row_and_no_other(
    name: str, value: Any, state: Outcome, operation: Operation | None, browser: Browser | None
) -> None:
    """What an option does can be read off the table."""
    changed = {row[2] for row in OPTIONS if row[0] == name}
    rules = lifecycle.rules_for(Options(secret=SECRET, **{name: value}))
    assert rules[state] == Rule(operation or RULES[state].operation, browser or RULES[state].browser)
    assert {other for other in Outcome if rules[other] != RULES[other]} == changed


@pytest.mark.parametrize(
    ("record", "verdict"),
    [
        (None, Verdict.UNKNOWN),
        (Record(b"{}", 99.9), Verdict.EXPIRED),
        (Record(b"{}", 100.0), Verdict.EXPIRED),
        (Record(b"no", 101.0), Verdict.CORRUPT),
        (Record(TOMBSTONE, 101.0), Verdict.UNKNOWN),
        (Record(bury("sid", "new"), 101.0), Verdict.UNKNOWN),
        (Record(bury("sid", "new", 99.9), 101.0), Verdict.REPLAYED),
        (Record(bury("sid", "new", 100.0), 101.0), Verdict.REPLAYED),
    ],
)
def test_what_is_no_session(record: Record | None, verdict: Verdict) -> None:
    """Absent, over, unreadable, or dead by rotation."""
    assert lifecycle.examine("sid", record, 100.0) is verdict


def test_what_goes_on_under_another_id() -> None:
    assert lifecycle.examine("sid", Record(bury("sid", "new", 100.1), 101.0), 100.0) == Moved("new", False)


@pytest.mark.parametrize(
    ("options", "secure", "expected"),
    [
        ({}, False, {"secure": False, "sameSite": "lax"}),
        ({}, True, {"secure": True, "sameSite": "lax"}),
        ({"secure": False}, True, {"sameSite": "lax"}),
        ({"same_site": "auto"}, True, {"secure": True, "sameSite": "none"}),
        ({"same_site": "auto"}, False, {"secure": False, "sameSite": "lax"}),
        ({"same_site": None, "secure": False}, False, {}),
        ({"same_site": True, "secure": False}, False, {"sameSite": True}),
    ],
)
def test_auto_is_settled_when_the_session_is_made(options: Any, secure: bool, expected: Any) -> None:
    """And stored, so that the session keeps it."""
    stored = lifecycle.new_cookie(CookieOptions(**options), secure, 0.0)
    assert {key: stored[key] for key in ("secure", "sameSite") if key in stored} == expected


def test_the_core_reads_no_clock_and_does_no_io() -> None:
    """Pure: everything is a function of its arguments."""
    source = inspect.getsource(lifecycle)
    assert not re.search(r"\b(time\.|async def|await|open\(|yield)", source.split('"""The rules')[1])
