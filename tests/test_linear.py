"""Work is linear in what was sent or stored: counted in steps of the interpreter and bytes of text, not in seconds."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

import pytest

from sessile import Sessions, cookies, merge
from sessile._records.fields import SystemFields
from sessile._records.record import Contents, decode, encode, stringify
from sessile._session import flash
from sessile._session.plan import Operation, Outcome, Plan, resolve
from sessile._wire.proxy import is_secure, trust_in
from sessile._wire.signing import Signer
from sessile.facts import RequestFacts
from sessile.options import Options
from sessile.stores.memory import MemoryStore

SECRET = "a text of these tests that is long enough"
SMALL = 400


class Value(str):
    """A text that counts how often it is compared: what a search through a list does unseen."""

    __slots__ = ()
    comparisons = 0

    def __eq__(self, other: object) -> bool:
        Value.comparisons += 1
        return str.__eq__(self, other)

    __hash__ = str.__hash__


class Line(bytes):
    """A line of a header that counts the bytes which adding to it copies."""

    __slots__ = ()
    copied = 0

    def __radd__(self, other: bytes) -> Line:
        Line.copied += len(other) + len(self)
        return Line(bytes(other) + bytes(self))

    def __add__(self, other: bytes) -> Line:  # type: ignore[override]
        Line.copied += len(other) + len(self)
        return Line(bytes(self) + bytes(other))


def cost(work: Callable[[], object]) -> int:
    """Return how many steps of the library ``work`` takes, with the size of the texts that it gives names to."""
    steps = 0
    seen: dict[int, dict[str, int]] = {}

    def trace(frame: FrameType, event: str, argument: Any) -> Any:
        nonlocal steps
        if not str(frame.f_globals.get("__name__")).startswith("sessile."):
            return None
        frame.f_trace_opcodes, frame.f_trace_lines = True, True
        steps += 1
        if event in ("call", "line", "return"):
            known = seen.setdefault(id(frame), {})
            for name, value in frame.f_locals.items():
                if isinstance(value, (str, bytes)) and known.get(name) != id(value):
                    known[name] = id(value)
                    steps += len(value) // 64
            if event == "return":
                seen.pop(id(frame), None)
        return trace

    Value.comparisons = Line.copied = 0
    before = sys.gettrace()
    sys.settrace(trace)
    try:
        work()
    finally:
        sys.settrace(before)
    return steps + Value.comparisons + Line.copied // 64


def cookie_lines(size: int) -> Callable[[], object]:
    scope = {"headers": [(b"cookie", Line(b"a=b"))] * size}
    return lambda: cookies.header_of(scope, b"cookie")


def crumbs_of_the_name(size: int) -> Callable[[], object]:
    header = b"xsid; sid ;" * size
    return lambda: cookies.candidates(header, b"sid")


def all_cookies(size: int) -> Callable[[], object]:
    header = "; ".join(f"k{number}=s:%zz" for number in range(size))
    return lambda: cookies.signed_cookies(cookies.parse(header), SECRET)


def a_token(size: int) -> Callable[[], object]:
    signer = Signer([SECRET.encode()])
    return lambda: signer.read_token(b"s%3A" + b".%" * size)


def forwarded(size: int) -> Callable[[], object]:
    headers = ((b"x-forwarded-proto", b"https,"), (b"x-forwarded-for", b"10.0.0.1,")) * size
    facts = RequestFacts(headers=headers, client="10.0.0.1")
    trust = trust_in(["10.0.0.0/8"])
    return lambda: is_secure(facts, trust)


def a_record(size: int) -> Callable[[], object]:
    payload = b'{"cookie":{},"list":[' + b'{"a":[1.0,"\\ud800"]},' * size + b"1]}"
    return lambda: decode(payload)


def an_odd_record(size: int) -> Callable[[], object]:
    # A long key over a long list, with numbers that only the careful writer can write.
    data = {"k" * size: [1.0] * size, **{str(number): number for number in range(size)}}
    return lambda: encode(Contents(data, {}, {}))


def a_merge(size: int) -> Callable[[], object]:
    base = {f"k{number}": number for number in range(size)}
    mine, theirs = (
        base | {f"m{number}": 1.0 for number in range(size)},
        base | {f"t{number}": 2 for number in range(size)},
    )
    return lambda: merge.merge(base, mine, theirs)


def a_union(size: int) -> Callable[[], object]:
    values: list[Any] = [Value(f"v{number}") for number in range(size)]
    return lambda: merge.union(values, [*values, Value("mine")], [*values, Value("theirs")])


def an_append(size: int) -> Callable[[], object]:
    values: list[Any] = [Value(f"v{number}") for number in range(size)]
    return lambda: merge.append(values, [*values, Value("mine")], [*values, Value("theirs")])


def messages(size: int) -> Callable[[], object]:
    data: dict[str, Any] = {}

    def work() -> None:
        for number in range(size):
            flash.add(data, f"message {number}", "info")

    return work


def a_list_of_sessions(size: int) -> Callable[[], object]:
    sessions = Sessions(secret=SECRET, store=MemoryStore())
    for number in range(size):
        sessions.store.create(f"id{number}", b'{"cookie":{}}', 1000)
    return lambda: sum(1 for _ in sessions.all())


def a_list_of_devices(size: int) -> Callable[[], object]:
    sessions = Sessions(secret=SECRET, store=MemoryStore())
    for number in range(size):
        session = sessions.engine.blank()
        session.login("zoe", device=f"device {number}")
        sessions.engine.commit_sync(session)
    return lambda: sessions.of_user("zoe")


@pytest.mark.parametrize(
    ("make", "size"),
    [
        (cookie_lines, SMALL),
        (crumbs_of_the_name, SMALL),
        (all_cookies, SMALL),
        (a_token, SMALL),
        (forwarded, SMALL),
        (a_record, SMALL),
        (an_odd_record, SMALL),
        (a_merge, SMALL),
        (a_union, SMALL),
        (an_append, SMALL),
        (messages, SMALL),
        (a_list_of_sessions, SMALL),
        (a_list_of_devices, 40),
    ],
)
def test_work_grows_no_faster_than_its_input(make: Callable[[int], Callable[[], object]], size: int) -> None:
    """Four times as much takes about four times the steps, and not sixteen times."""
    small, large = cost(make(size)), cost(make(4 * size))
    assert large <= 5 * small + 100, f"{small} steps for {size}, {large} for {4 * size}"


def quadratic(size: int) -> Callable[[], object]:
    values: list[Any] = [Value(f"v{number}") for number in range(size)]
    return lambda: [value for value in values if Value(value) in [Value("x"), *values]]


def joined_one_by_one(size: int) -> Callable[[], object]:
    def work() -> None:
        header: bytes = Line(b"")
        for _ in range(size):
            header = header + Line(b"a=b")

    return work


@pytest.mark.parametrize("make", [quadratic, joined_one_by_one])
def test_what_grows_faster_is_seen(make: Callable[[int], Callable[[], object]]) -> None:
    """The measure of these tests tells quadratic work from linear work."""
    assert cost(make(4 * SMALL)) > 10 * cost(make(SMALL))


def conflict(history: int) -> Callable[[], object]:
    base = {"cookie": {}, "history": [{"id": number, "price": 1.5} for number in range(history)]}
    plan = Plan(
        Outcome.CHANGED,
        Operation.REPLACE,
        sid="x",
        payload=stringify({**base, "mine": 1}).encode(),
        expected=stringify(base).encode(),
    )
    current = stringify({**base, "theirs": 1}).encode()
    options, fields = Options(secret=SECRET), SystemFields([SECRET.encode()], str)
    return lambda: resolve(plan, current, options, own_cookie=False, strict=False, now=0.0, fields=fields)


def test_a_conflict_costs_what_the_change_costs() -> None:
    """Joining two small changes takes as many steps in a large session as in a small one."""
    assert (
        cost(conflict(4000)) <= cost(conflict(40)) + 10 * 4000 * 30 // 64
    )  # What is named is the payload, a few times.


def test_a_conflict_after_another_takes_apart_only_what_is_new(monkeypatch: pytest.MonkeyPatch) -> None:
    """Many requests at once meet each other again and again: each time costs one decoding, and gives the same."""
    decoded: list[bytes] = []

    def counted(payload: bytes) -> Contents | None:
        decoded.append(payload)
        return decode(payload)

    monkeypatch.setattr("sessile._session.plan.decode", counted)
    plan = Plan(
        Outcome.CHANGED,
        Operation.REPLACE,
        sid="x",
        payload=b'{"cookie":{},"big":[1,{"a":2}],"mine":1}',
        expected=b'{"cookie":{},"big":[1,{"a":2}]}',
    )
    options, fields = Options(secret=SECRET), SystemFields([SECRET.encode()], str)
    earlier = None
    for others in (1, 2, 3):
        current = b'{"cookie":{},"big":[1,{"a":2}],"theirs":%d}' % others
        earlier = resolve(
            plan, current, options, own_cookie=False, strict=False, now=0.0, fields=fields, earlier=earlier
        )
        assert earlier is not None
        assert earlier.plan.payload.endswith(b'"big":[1,{"a":2}],"theirs":%d,"mine":1}' % others)
    assert len(decoded) == 3 + 2
