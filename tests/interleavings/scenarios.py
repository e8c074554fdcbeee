"""What is run against what: pairs, triples, and the options under which they are."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations_with_replacement
from typing import Any, NamedTuple

from sessile import Session
from sessile.testing import FrozenClock
from sessile.testing.explore import Body, Outcome, Report, explore, settle
from tests.interleavings import invariants
from tests.interleavings.bodies import AT_START, KINDS, OLD, RENEWING, TENANT, USER
from tests.interleavings.site import Answer, Site

BEGIN = 1_700_000_000.0

#: Options under which scenarios are run, by name.
OPTIONS: dict[str, dict[str, Any]] = {
    "defaults": {},
    "overwrite": {"conflict": "overwrite"},
    "error": {"conflict": "error"},
    "hash_ids": {"hash_ids": True},
    "renewals": RENEWING,
    "nonced codec": {"nonced": True},
}

#: Those under which all pairs are run. Where both requests renew their session there are a great many orders: pairs with
#: a renewal are such, under each of these.
PAIRED = tuple(name for name in OPTIONS if name != "renewals")

#: Three at once: what has gone wrong somewhere, or could.
TRIPLES = (
    ("rotate, keep", "write", "log-out"),
    ("rotate, grace", "write", "log-out"),
    ("rotate, keep", "rotate, keep", "log-out"),
    ("rotate, grace", "rotate, keep", "log-out"),
    ("rotate, keep", "rotate, keep", "revoke_user"),
    ("rotate, grace", "write", "revoke_user"),
    ("log-in", "log-in elsewhere", "revoke_user"),
    ("log-in elsewhere", "log-in elsewhere", "revoke_user"),
    ("log-in at the limit", "log-in at the limit", "revoke_user"),
    ("log-in at the limit", "rotate, keep", "log-out"),
    ("lock", "write", "log-out"),
    ("lock", "lock", "write"),
    ("lock", "rotate, keep", "log-out"),
    ("incr", "incr", "rotate, keep"),
    ("incr", "incr", "log-out"),
    ("pop_once", "pop_once", "write"),
    ("pop_once", "pop_once", "rotate, keep"),
    ("transaction", "transaction", "write"),
    ("transaction", "rotate, grace", "log-out"),
    ("write", "write", "rotate, keep"),
    ("write", "write", "revoke"),
    ("write", "save in the middle", "log-out"),
    ("re-authentication", "write", "revoke"),
    ("re-authentication", "write", "revoke_where"),
    ("rotate, grace", "write", "revoke_where"),
    ("adoption", "adoption", "write"),
    ("adoption", "write", "log-out"),
    ("read", "rotate, grace", "log-out"),
    ("renewal", "renewal", "log-out"),
    ("renewal", "write", "revoke_user"),
    ("flash", "rotate, keep", "revoke"),
    ("save in the middle", "rotate, keep", "log-out"),
    ("cookie change", "write", "log-out"),
    ("password change", "log-in elsewhere", "write"),
)

#: Those that have more orders than all others together: `python -m tests.interleavings` runs them, the suite does not.
LARGEST = {
    ("log-in at the limit", "log-in at the limit", "revoke_user"),
    ("renewal", "write", "revoke_user"),
}

#: Those that have their faults in the long run only.
LARGE = LARGEST | {
    ("rotate, keep", "rotate, keep", "log-out"),
    ("rotate, grace", "rotate, keep", "log-out"),
    ("rotate, keep", "rotate, keep", "revoke_user"),
    ("log-in", "log-in elsewhere", "revoke_user"),
    ("log-in at the limit", "rotate, keep", "log-out"),
    ("adoption", "adoption", "write"),
    ("renewal", "renewal", "log-out"),
    ("re-authentication", "write", "revoke_where"),
    ("rotate, grace", "write", "revoke_where"),
}


class Scenario(NamedTuple):
    """Bodies that run at once, and the options of the site."""

    kinds: tuple[str, ...]
    options: str = "defaults"

    def __str__(self) -> str:
        return " x ".join(self.kinds) + ("" if self.options == "defaults" else f" [{self.options}]")

    @property
    def given(self) -> dict[str, Any]:
        """The options of the site."""
        return {
            **OPTIONS[self.options],
            **{name: each for kind in self.kinds for name, each in KINDS[kind].options.items()},
        }


def pairs(options: str = "defaults") -> Iterator[Scenario]:
    """Yield all pairs."""
    for kinds in combinations_with_replacement(KINDS, 2):
        yield Scenario(kinds, options)


def triples(options: str = "defaults") -> Iterator[Scenario]:
    """Yield the dangerous triples; the large ones by default options only."""
    for kinds in TRIPLES:
        if options == "defaults" or kinds not in LARGE:
            yield Scenario(kinds, options)


class World(NamedTuple):
    """Where the bodies of a scenario begin."""

    clock: FrozenClock
    cells: dict[str, Any]
    #: The id of the session at the start.
    sid: str
    options: dict[str, Any]

    def case(self, scenario: Scenario) -> invariants.Case:
        """Return what the invariants have to know."""
        return invariants.Case(scenario.kinds, self.sid, self.clock, self.options)

    def bodies(self, kinds: tuple[str, ...]) -> list[Body]:
        """Return the bodies, each on a site of its own for each run."""
        return [self._body(kind, letter) for kind, letter in zip(kinds, "abcdefgh", strict=False)]

    def _body(self, kind: str, letter: str) -> Body:
        return lambda: KINDS[kind].run(Site(letter, self.clock, self.options), letter, self.sid)


def world_of(scenario: Scenario) -> World:
    """Return the start of a scenario: one session in which zoe is logged in, some time ago."""
    options = scenario.given
    clock, cells = FrozenClock(BEGIN), dict[str, Any]()
    # The session of the start was brought from another library, by its id; that makes it one that can be adopted too.
    site = Site("s", clock, options, "the first id, of a visitor nobody knows", OLD)

    def begin(session: Session) -> None:
        session.update(AT_START)
        session.login(USER)
        if "revoke_where" in scenario.kinds:  # Each index that a session is in makes three times as many orders.
            session.index("tenant", TENANT)

    answer: Answer = settle(lambda: site.request("start", None, begin), cells)
    assert answer.told == (OLD,)
    clock.advance(200 if "lifetime" in options else 10)
    return World(clock, cells, OLD, options)


def run(
    scenario: Scenario, *, faults: bool = True, first: bool = False, reduced: bool = True, keep: bool = False
) -> Report:
    """Run a scenario through all orders."""
    world = world_of(scenario)
    case = world.case(scenario)

    def check(outcome: Outcome) -> list[str]:
        return invariants.violated(case, outcome)

    bodies = world.bodies(scenario.kinds)
    return explore(bodies, check, start=world.cells, faults=faults, first=first, reduced=reduced, keep=keep)
