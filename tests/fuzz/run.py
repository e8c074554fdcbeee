# Inputs are changed at random, and those that reach lines which none has reached before are kept and changed further.
# Work is counted in lines, so that what grows faster than its input is seen without a clock.
"""A small fuzzer that is guided by coverage."""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from tests.fuzz.decoders import DECODERS

__all__ = ["fuzz"]

LONGEST = 4096
#: Lines of the library that an input may take, beside those for each of its bytes.
LINES, LINES_A_BYTE = 8000, 60

_PIECES = (
    b"", b"=", b";", b'"', b"%", b"%3A", b"s:", b"e.", b".", b",", b"{", b"}", b"[", b"]", b"null", b"1e400", b"-0",
    b"\\ud800", b"\xff", b"\0", b"\n", b'"sessile":{', b'"user":', b'"until":', b'"cookie":', b"9" * 50, b"[" * 300,
)  # fmt: skip


def _changed(data: bytes, other: bytes, chance: random.Random) -> bytes:
    for _ in range(chance.choice((1, 1, 2, 4))):
        start = chance.randrange(len(data) + 1)
        end = min(len(data), start + chance.choice((0, 1, 1, 4, 16)))
        piece = chance.choice(
            (bytes([chance.randrange(256)]), chance.choice(_PIECES), data[start:end] * 2, other[start:end])
        )
        data = data[:start] + piece + data[end:]
    return data[:LONGEST]


@contextmanager
def _traced(seen: set[tuple[str, int]]) -> Iterator[Callable[[], int]]:
    count = 0

    def trace(frame: FrameType, event: str, argument: Any) -> Any:
        nonlocal count
        if not str(frame.f_globals.get("__name__")).startswith("sessile."):
            return None
        count += 1
        seen.add((frame.f_code.co_filename, frame.f_lineno))
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        yield lambda: count
    finally:
        sys.settrace(before)


def fuzz(name: str, seconds: float = 0.0, *, inputs: int = 0, seed: int | None = None) -> int:
    """Fuzz the decoder ``name`` for some seconds or for a number of inputs. Return how many there were.

    Raises AssertionError, with the input, for an exception that comes out and for work that is not linear.
    """
    chance = random.Random(seed)
    decoder, seen = DECODERS[name], set[tuple[str, int]]()
    corpus: list[bytes] = list(decoder.corpus)
    until, number = time.monotonic() + seconds, 0
    while number < inputs or (not inputs and time.monotonic() < until):
        data = (
            corpus[number]
            if number < len(decoder.corpus)
            else _changed(chance.choice(corpus), chance.choice(corpus), chance)
        )
        number, before = number + 1, len(seen)
        try:
            with _traced(seen) as lines:
                decoder.run(data)
        except Exception as error:
            raise AssertionError(f"{name}: {type(error).__name__} for {data!r}") from error
        assert lines() <= LINES + LINES_A_BYTE * len(data), f"{name}: {lines()} lines for {data!r}"
        if len(seen) > before and len(corpus) < 1000:
            corpus.append(data)
    return number
