# Where express-session leaves the browser waiting for ever, or ends the process, there is nothing to be like. Each case
# waits for nothing for a third of a second, so they are few.
"""Where express-session hangs or crashes, sessile raises an error that names the mistake."""

from __future__ import annotations

import asyncio

import pytest

from tests.differential.driver import FrozenClock, Recorder, Way, respond, sessions_for
from tests.differential.express import Express
from tests.differential.scenarios import NOW, OPTIONS, Scenario

#: What the handler does: how express-session ends, and what sessile raises.
DEAD_ENDS = {
    "put an object": ("hang", None),
    "put a cycle": ("hang", "UnserialisableValue"),
    "put what JSON cannot hold": ("hang", "UnserialisableValue"),
    "put no cookie": ("hang", "AttributeError"),
    "reload and wait for nothing": ("crash", None),
}


@pytest.mark.parametrize("verb", DEAD_ENDS)
@pytest.mark.parametrize("visitor", ["new", "existing"])
def test_dead_end(visitor: str, verb: str, express: Express) -> None:
    """What leaves no response there raises here, or is no mistake at all; nothing is stored of it."""
    scenario = Scenario(visitor, "untouched", options=OPTIONS[0])
    theirs, ours = DEAD_ENDS[verb]
    assert express.end_of(scenario, verb) == theirs
    clock = FrozenClock(NOW)
    store = Recorder(clock)
    sessions = sessions_for(scenario, store, clock, Way())
    answer, _ = asyncio.run(respond(sessions, "/app/page", [], store, clock, [verb]))
    if ours is None:
        assert isinstance(answer, dict)
    else:
        assert answer == ours
    assert store.records() == {}
