# A body's next call depends on the answers it got, and on nothing else: the clock stands still, ids are counted, and
# bodies share nothing but the store. So:
#
#   1. A body is run once for each row of answers that it can get, not once for each order (tracks.py).
#   2. Two orders that gave each body the same answers, and left the same store, are one order from there on. Orders
#      that differ only in swapping neighbouring calls on different keys meet in this way, and so do some others.
#      `explore` goes on from each such point once, and counts all orders that lead through it.
#   3. A check sees what became of each body and what is in the store at the end, so it cannot tell such orders apart.
#      `reduced=False` goes through all of them, one by one, for whoever wants to see that nothing is missed.
#   4. A fault is one more thing that can happen at each call: the body crashes before it (`!`), or the call is carried
#      out and its answer is lost (`?`). One fault for each schedule.
#   5. A pause moves no clock, so it is no step: what others do meanwhile, they can do before the next call anyway.
"""Run requests through every order of their store calls, with a crash or a lost answer at every step."""

from __future__ import annotations

import gc
from collections.abc import Callable, Coroutine, Generator, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeVar

from sessile.errors import SessionError
from sessile.testing.model import Act, Call, ModelStore, carried_out
from sessile.testing.tracks import CRASHED, NO_ANSWER, Body, Node, NotDeterministic, Result, Track

__all__ = [
    "Act",
    "Body",
    "Call",
    "ModelStore",
    "NotDeterministic",
    "Outcome",
    "Report",
    "Result",
    "Violated",
    "explore",
    "replay",
    "settle",
]

T = TypeVar("T")

_CRASH, _LOST = "!", "?"


class Violated(AssertionError):
    """Says that a check was not satisfied. The text has the schedule that ``replay`` takes."""


class Outcome(NamedTuple):
    """What an order of calls came to."""

    #: What became of each body, in the order of the bodies.
    results: tuple[Result, ...]
    #: What is shared, at the end: values by the keys of the calls.
    cells: dict[str, Any]
    #: The schedule: the letter of the body whose call is next (a, b, ...), ``!`` after it for a crash in place of the
    #: call, ``?`` for a call whose answer is lost.
    schedule: str
    #: What happened, a line for each step. Filled by ``replay``.
    story: tuple[str, ...] = ()


@dataclass
class Report:
    """What ``explore`` went through."""

    #: Orders of calls without a fault, all that there are.
    orders: int = 0
    #: Orders with a crash of a body at one of its calls, and with a lost answer.
    crashes: int = 0
    lost: int = 0
    #: Points at which orders meet: so many were looked at.
    points: int = 0
    #: Runs of bodies, from their start.
    runs: int = 0
    #: The outcomes that differ.
    outcomes: int = 0
    #: What the check objected to, each with the first schedule that led to it.
    violations: dict[str, str] = field(default_factory=dict)
    #: The outcomes themselves, where ``keep`` asks for them.
    kept: set[Hashable] = field(default_factory=set)

    @property
    def schedules(self) -> int:
        """How many schedules were covered, those with faults included."""
        return self.orders + self.crashes + self.lost

    def raise_for_violations(self) -> None:
        """Raise Violated if the check objected to anything."""
        if self.violations:
            raise Violated("; ".join(f"{text} (schedule {schedule!r})" for text, schedule in self.violations.items()))


def explore(
    bodies: Sequence[Body],
    check: Callable[[Outcome], Iterable[str]],
    *,
    start: Mapping[str, Any] | None = None,
    faults: bool = True,
    reduced: bool = True,
    first: bool = False,
    keep: bool = False,
    most_calls: int = 200,
) -> Report:
    """Run ``bodies`` through every order of their calls, and ``check`` each outcome.

    ``bodies`` are made anew for each run, and must do the same after the same answers: give them a clock that stands
    still, and ids that are counted (``genid``). ``check`` returns what is wrong, in words. ``start`` is what is shared
    at the beginning (see ``settle``); its values must be hashable. ``faults``: each order once more with a crash of a
    body, and with a lost answer, at every call. ``reduced=False`` goes through all orders one by one, which takes long.
    ``first`` stops at the first violation. ``keep`` puts the outcomes into the report. ``most_calls`` is how many calls
    a body may make. Raises NotDeterministic, and SessionError for a body that makes too many calls or awaits something
    else.

    >>> from sessile.testing.explore import Call, explore
    >>> async def add():
    ...     before = await Call("get", "n", lambda value: (value, value))
    ...     await Call("set", "n", lambda value: (None, (before or 0) + 1))
    >>> def counted(outcome):
    ...     confirmed = sum(result.confirmed for result in outcome.results)
    ...     if outcome.cells.get("n", 0) < confirmed:
    ...         yield "an addition was lost"
    >>> report = explore([add, add], counted)
    >>> report.orders, report.violations
    (6, {'an addition was lost': 'abab'})
    """
    return _Exploration(bodies, check, faults=faults, reduced=reduced, first=first, keep=keep, most=most_calls).run(
        dict(start or {})
    )


def replay(bodies: Sequence[Body], schedule: str, *, start: Mapping[str, Any] | None = None) -> Outcome:
    """Run ``bodies`` by ``schedule``, which a violation has named, and return the outcome with its story.

    What the schedule leaves open is run in the order of the bodies.
    """
    tracks = [Track(letter, body, 10_000) for letter, body in zip(_letters(bodies), bodies, strict=True)]
    nodes = [track.root for track in tracks]
    cells, story = dict(start or {}), []
    try:
        steps = _steps_of(schedule)
        while True:
            steps.extend(
                (track.letter, "") for track, node in zip(tracks, nodes, strict=True) if node.call and not steps
            )
            if not steps:
                break
            letter, fault = steps.pop(0)
            position = ord(letter) - ord("a")
            if position >= len(nodes) or (call := nodes[position].call) is None:
                raise SessionError(f"the schedule {schedule!r} does not fit: body {letter} has no call to make there")
            if fault == _CRASH:
                nodes[position] = CRASHED
                story.append(f"{letter} crashes before {call!r}")
                continue
            answer, cells = carried_out(cells, call)
            lost = fault == _LOST
            story.append(f"{letter} {call.verb} {call.key}: {'(the answer is lost) ' if lost else ''}{answer!r}")
            nodes[position] = tracks[position].after(nodes[position], NO_ANSWER if lost else answer)
    finally:
        for track in tracks:
            track.close()
    results = tuple(node.result or Result(crashed=True) for node in nodes)
    story.extend(f"{letter} ended: {result!r}" for letter, result in zip(_letters(bodies), results, strict=True))
    return Outcome(results, cells, schedule, tuple(story))


def settle(body: Callable[[], Coroutine[Any, Any, T] | Generator[Any, Any, T]], cells: dict[str, Any]) -> T:
    """Run one body to its end on ``cells``, which change with it, and return what it returned: to prepare a start."""
    # What this gives a name to is called otherwise than by the bodies, and by another start that goes on from here.
    before = sorted((key, repr(getattr(value, "payload", value))) for key, value in cells.items())
    track = Track("start", body, 10_000, repr(before))
    node = track.root
    try:
        while node.call is not None:
            answer, after = carried_out(cells, node.call)
            if after is not cells:
                cells.clear()
                cells.update(after)
            node = track.after(node, answer)
    finally:
        track.close()
    assert node.result is not None
    if node.result.error is not None:
        raise node.result.error
    return node.result.value  # type: ignore[no-any-return]  # A track knows nothing of what its body returns.


def _letters(bodies: Sequence[Body]) -> str:
    return "abcdefghijklmnopqrstuvwxyz"[: len(bodies)]


def _steps_of(schedule: str) -> list[tuple[str, str]]:
    steps: list[tuple[str, str]] = []
    for sign in schedule:
        if sign in (_CRASH, _LOST) and steps:
            steps[-1] = (steps[-1][0], sign)
        elif "a" <= sign <= "z":
            steps.append((sign, ""))
        else:
            raise SessionError(f"{schedule!r} is no schedule: {sign!r} names no body")
    return steps


class _Stop(Exception):
    """Says that the first violation is enough."""


class _Exploration:
    """One walk through all orders."""

    def __init__(
        self,
        bodies: Sequence[Body],
        check: Callable[[Outcome], Iterable[str]],
        *,
        faults: bool,
        reduced: bool,
        first: bool,
        keep: bool,
        most: int,
    ) -> None:
        self._tracks = [Track(letter, body, most) for letter, body in zip(_letters(bodies), bodies, strict=True)]
        self._check = check
        self._faults = faults
        self._reduced = reduced
        self._first = first
        self._keep = keep
        self._cells: list[dict[str, Any]] = []
        self._numbers: dict[frozenset[tuple[str, Any]], int] = {}
        self._seen: dict[Hashable, tuple[int, int, int]] = {}
        self._checked: set[Hashable] = set()
        self._report = Report()

    def run(self, cells: dict[str, Any]) -> Report:
        report = self._report
        # What is remembered grows to a million objects that all stay. Looking for cycles among them takes up to a third
        # of the time, and finds nothing.
        collects = gc.isenabled()
        gc.disable()
        try:
            begin, nodes = self._number(cells), tuple(track.root for track in self._tracks)
            # Without faults first, so that a violation that needs none is named by a schedule that has none.
            report.orders, _, _ = self._visit(begin, nodes, False, "")
            if self._faults:
                _, report.crashes, report.lost = self._visit(begin, nodes, True, "")
        except _Stop:
            pass
        finally:
            if collects:
                gc.enable()
            for track in self._tracks:
                track.close()
        report.runs = sum(track.runs for track in self._tracks)
        report.outcomes = len(self._checked)
        if self._keep:
            report.kept = self._checked
        return report

    def _number(self, cells: dict[str, Any]) -> int:
        """Return the number by which these cells go, so that they are hashed once and not at each point."""
        number = self._numbers.setdefault(frozenset(cells.items()), len(self._cells))
        if number == len(self._cells):
            self._cells.append(cells)
        return number

    def _moved(self, track: Track, node: Node, cells: int) -> tuple[int, Node, Node | None]:
        """Carry out the call at ``node``. Return the cells after it, and the nodes with the answer and without it."""
        assert node.call is not None
        answer, after = carried_out(self._cells[cells], node.call)
        told = track.after(node, answer)
        untold = track.after(node, NO_ANSWER) if self._faults else None
        moved = node.moves[cells] = self._number(after), told, untold
        return moved

    def _visit(self, cells: int, nodes: tuple[Node, ...], faults: bool, path: str) -> tuple[int, int, int]:
        """Go on from here in every way. Return how many: without a fault from here on, with a crash, a lost answer."""
        point = (cells, nodes, faults)
        if self._reduced and (known := self._seen.get(point)) is not None:
            return known
        self._report.points += 1
        orders = crashes = lost = 0
        for position, node in enumerate(nodes):
            if node.call is None:
                continue
            track = self._tracks[position]
            after, told, untold = node.moves.get(cells) or self._moved(track, node, cells)
            before, rest = nodes[:position], nodes[position + 1 :]
            counts = self._visit(after, (*before, told, *rest), faults, path + track.letter)
            orders, crashes, lost = orders + counts[0], crashes + counts[1], lost + counts[2]
            if faults and untold is not None:
                crashes += self._visit(cells, (*before, CRASHED, *rest), False, f"{path}{track.letter}{_CRASH}")[0]
                lost += self._visit(after, (*before, untold, *rest), False, f"{path}{track.letter}{_LOST}")[0]
        if not orders:
            self._end(self._cells[cells], nodes, path)
            orders = 1
        if self._reduced:
            self._seen[point] = orders, crashes, lost
        return orders, crashes, lost

    def _end(self, cells: dict[str, Any], nodes: tuple[Node, ...], path: str) -> None:
        results = tuple(node.result or Result() for node in nodes)
        outcome = (tuple(map(_told_apart_by, results)), frozenset(cells.items()))
        if outcome in self._checked:
            return
        self._checked.add(outcome)
        for text in self._check(Outcome(results, cells, path)):
            self._report.violations.setdefault(text, path)
            if self._first:
                raise _Stop


def _told_apart_by(result: Result) -> Hashable:
    error = result.error
    return result.value, error and (type(error).__name__, str(error)), result.crashed, result.lost
