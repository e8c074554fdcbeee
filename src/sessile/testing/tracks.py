# A body is run once for each row of answers that it can get. What it did then is remembered, in a tree of nodes.
"""Where a request comes to, by the answers that it gets."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Generator
from contextvars import Context, copy_context
from hashlib import sha256
from itertools import count
from typing import Any, NamedTuple, TypeAlias

from sessile import dual
from sessile._records.naming import MAKER
from sessile.errors import SessionError, StoreUnavailable
from sessile.testing.model import Call

__all__ = ["CRASHED", "NO_ANSWER", "Body", "Node", "NotDeterministic", "Result", "Track"]

#: Makes one run of a request or of a program's call: a coroutine, or steps (``sessile.dual.Steps``).
Body: TypeAlias = Callable[[], Coroutine[Any, Any, Any] | Generator[Any, Any, Any]]

#: What is sent to a body whose answer is lost.
NO_ANSWER = object()


class NotDeterministic(Exception):
    """Says that a body made another call than before, after the same answers: its runs would prove nothing."""


class Result(NamedTuple):
    """What became of one body."""

    #: What it returned.
    value: Any = None
    #: What it raised.
    error: Exception | None = None
    #: Whether it crashed, and so neither returned nor raised.
    crashed: bool = False
    #: Whether an answer of the store to it was lost.
    lost: bool = False

    @property
    def confirmed(self) -> bool:
        """Whether it returned: whoever asked knows that it was done."""
        return self.error is None and not self.crashed


class Node:
    """Where a body stands after a row of answers: before a call, or at its end."""

    __slots__ = ("answers", "call", "children", "live", "moves", "result")

    def __init__(self, answers: tuple[Any, ...]) -> None:
        self.answers = answers
        self.children: dict[Any, Node] = {}
        #: What its call comes to, by the number of the cells that it meets.
        self.moves: dict[int, tuple[int, Node, Node | None]] = {}
        self.call: Call | None = None
        self.result: Result | None = None
        #: A run that stands here, and can be gone on with once.
        self.live: _Run | None = None


CRASHED = Node(())
CRASHED.result = Result(crashed=True)


class _Abandoned(BaseException):
    """Thrown into runs that nobody goes on with."""


class _Run:
    """One run of a body, in a context of its own: what a request notes there is not seen by the others."""

    __slots__ = ("_context", "_steps")

    def __init__(self, body: Body, names: str) -> None:
        self._context: Context = copy_context()
        numbers = count()
        self._context.run(MAKER.set, lambda size: _hexadecimal(f"{names} {next(numbers)}", size))
        made = self._context.run(body)
        self._steps = dual.run_async(made) if isinstance(made, Generator) else made

    def send(self, answer: Any) -> Any:
        return self._context.run(self._steps.send, answer)

    def throw(self, error: BaseException) -> Any:
        return self._context.run(self._steps.throw, error)


def _hexadecimal(text: str, size: int) -> str:
    return sha256(text.encode("utf-8", "backslashreplace")).hexdigest()[: 2 * size]


class Track:
    """A body, and where it comes to by the answers it gets."""

    def __init__(self, letter: str, body: Body, most: int, after: str = "") -> None:
        self.letter = letter
        #: What the names begin with that its runs give to sessions: no two tracks give the same.
        self._names = f"{letter} {after}"
        self.runs = 0
        self._body = body
        self._most = most
        self._live: set[Node] = set()
        self.root = self._advanced(Node(()), self._begun(), None)

    def after(self, node: Node, answer: Any) -> Node:
        """Return where the body comes to that stands at ``node`` and gets ``answer``."""
        child = node.children.get(answer)
        if child is None:
            if len(node.answers) >= self._most:
                raise SessionError(
                    f"body {self.letter} makes more than {self._most} calls: does it wait for something?"
                )
            run, node.live = node.live, None
            self._live.discard(node)
            child = self._advanced(Node((*node.answers, answer)), run or self._again(node), answer)
            node.children[answer] = child
        return child

    def close(self) -> None:
        """Let go of the runs that were not gone on with."""
        for node in self._live:
            _abandon(node.live)
            node.live = None
        self._live.clear()

    def _begun(self) -> _Run:
        self.runs += 1
        return _Run(self._body, self._names)

    def _again(self, node: Node) -> _Run:
        """Return a new run that stands at ``node``."""
        run, here, answer = self._begun(), self.root, None
        for position in range(len(node.answers) + 1):
            call, _ = _next(run, answer)
            if call != here.call:
                _abandon(run)
                raise NotDeterministic(f"body {self.letter}: {call!r} after the same answers as {here.call!r} before")
            if position < len(node.answers):
                answer = node.answers[position]
                here = here.children[answer]
        return run

    def _advanced(self, node: Node, run: _Run, answer: Any) -> Node:
        node.call, node.result = _next(run, answer)
        if node.result is not None and NO_ANSWER in node.answers:
            node.result = node.result._replace(lost=True)
        if node.call is not None:
            node.live = run
            self._live.add(node)
        return node


def _next(run: _Run, answer: Any) -> tuple[Call | None, Result | None]:
    """Give ``answer`` to a run, and return the call that it makes next, or its end."""
    try:
        asked = run.throw(StoreUnavailable("the answer was lost")) if answer is NO_ANSWER else run.send(answer)
        while isinstance(asked, dual.Pause):
            asked = run.send(None)
    except StopIteration as stop:
        return None, Result(stop.value)
    except Exception as error:
        return None, Result(error=error.with_traceback(None))
    if not isinstance(asked, Call):
        _abandon(run)
        raise SessionError(
            f"a body awaits a {type(asked).__name__}: it can await calls of what it shares, no event loop"
        )
    return asked, None


def _abandon(run: _Run | None) -> None:
    # Blocks that the run is in may want to ask the store at their end: each time it is told again.
    for _ in range(100):
        try:
            if run is not None:
                run.throw(_Abandoned())
        except (_Abandoned, StopIteration, Exception):
            return
