# Knows nothing of sessile: it reads what was asked, when, and what came back, and holds that against these rules.
# "Before" is real time: one request had ended before the other began. A request of which nobody knows what came of it may
# have been carried out or not, at any time after it began; nothing else is forgiven.
#
#   1. stranger       A request sees the session of the user whose cookie it brought, or none; and no value of another.
#   2. undone logout  A session id that was ended (logout, a new id, a new login), or once found to be gone, never
#                     answers again.
#   3. lost session   An id that nobody has tried to end, and whose time is not over, answers.
#   4. expired        A session with a life of its own, that nobody asked for so long, never answers again.
#   5. lost update    Each key is a register: there is an order of all writes and reads, in which a request that had ended
#                     before another began comes first, and each read sees the last write before it.
#   6. wrong counter  A counter shows what was added before, and nothing that was not begun yet; it never runs backwards,
#                     and no two requests are told the same number.
#   7. invented       No value is read that nobody wrote, and none of a request that was told it had written nothing.
#   8. outlived a     A login that began before a revocation of its user, or of what it is marked with, does not answer
#      revocation     to a request that began after the revocation was answered.
#   9. limit exceeded No user has more logins than the limit at any moment at which all of them certainly live: from when
#                     a login was answered to the beginning of the last request that found it.
#
# A session keeps its life (the name of a login) when its id changes, so rules 5 to 7 hold across new ids.
"""Find what must never happen in the history of a run."""

from __future__ import annotations

import itertools
import json
from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from math import inf
from pathlib import Path
from typing import Any

ENDS = frozenset({"logout", "rotate", "renew", "relogin", "password", "revoke"})

#: Those that end a login under whatever id it has.
ENDS_LOGIN = frozenset({"logout", "relogin", "password", "revoke"})

#: Stores that keep ends in whole seconds round them up. A little more is what two clocks may differ.
SLACK = 1.05e9


@dataclass(frozen=True)
class Operation:
    """One request, with times in nanoseconds."""

    id: str
    op: str
    user: str
    start: float
    #: The session id that its cookie named.
    sid: str | None = None
    #: The login that it belongs to, as the visitor knows it.
    life: str | None = None
    #: The login that it begins.
    begins: str | None = None
    #: Who is logged in by that, and what it is marked with besides.
    account: str | None = None
    where: str | None = None
    #: All logins of which account, or with which mark, it ends.
    revokes: str | None = None
    max_age: float | None = None
    #: For how many nanoseconds after its end the old id may answer.
    grace: float = 0
    #: Whether the session may have got a new id by the way.
    may_renew: bool = False
    writes: dict[str, str] | None = None
    counts: str | None = None
    #: "ok"; "none": there was no such session; "gone": it was ended meanwhile, nothing was written; "refused": nothing
    #: was written; "unknown".
    outcome: str = "unknown"
    end: float = inf
    #: What was in the session when the request began, and by when it had been read.
    seen: dict[str, Any] | None = None
    seen_at: float = inf
    #: What the counter was said to be.
    result: int | None = None
    #: The id that the session got.
    new: str | None = None
    #: Why nothing is known of what came of it.
    error: str | None = None

    @property
    def may_have_written(self) -> bool:
        return self.outcome in ("ok", "unknown")

    @property
    def ends(self) -> bool:
        """Whether it ends the id that it came by, if it is carried out."""
        renewed = self.new is not None and self.op != "login"
        return self.op in ENDS or renewed or (self.may_renew and self.outcome == "unknown")


@dataclass(frozen=True)
class Fault:
    """Something that must never happen."""

    kind: str
    operation: str
    detail: str


def read_histories(folder: Path) -> list[Operation]:
    """Return all operations of all histories in ``folder``. The last line of one that was killed may be half a line."""
    operations: list[Operation] = []
    for path in sorted(folder.glob("*.history")):
        begun: dict[str, dict[str, Any]] = {}
        for line in path.read_bytes().split(b"\n")[:-1]:
            fields = json.loads(line)
            fields.pop("cookie", None)
            begun.setdefault(fields["id"], {}).update(fields)
        operations += [Operation(**fields) for fields in begun.values()]
    return operations


def check(operations: Iterable[Operation], *, forgets: bool = False, limit: int | None = None) -> list[Fault]:
    """Return the faults in a history.

    ``forgets``: the store was emptied meanwhile, so sessions may be missing, and with them what became of an id.
    ``limit``: how many logins an account may have at once; the oldest ends.
    """
    ordered = sorted(operations, key=lambda operation: operation.start)
    lives, sids = _by(ordered, "life"), _by(ordered, "sid")
    logins, revocations = _by(ordered, "account"), _by(ordered, "revokes")
    begun = {operation.begins: operation for operation in ordered if operation.begins}
    faults = [fault for operation in ordered for fault in _strangers(operation)]
    for group in sids.values():
        faults += _undone(group)
        faults += _expired(group)
        if not forgets:
            life = group[0].life or ""
            ends = _ended_by_others(begun[life], revocations, logins, limit) if life in begun else inf
            faults += _lost_sessions(group, lives[life], ends)
    for account in logins.values():
        faults += _beyond(account, lives, limit)
    for life, group in lives.items():
        faults += _registers(group)
        faults += _counters(group)
        if life in begun:
            faults += _outlived(begun[life], group, revocations)
        if life not in begun:
            faults.append(Fault("invented", group[0].id, "nobody began this login"))
        if not forgets:
            faults += _overtaken(group)
    return faults


def _by(ordered: list[Operation], field: str) -> dict[str, list[Operation]]:
    groups: dict[str, list[Operation]] = defaultdict(list)
    for operation in ordered:
        if value := getattr(operation, field):
            groups[value].append(operation)
    return groups


def _strangers(operation: Operation) -> Iterator[Fault]:
    seen = operation.seen
    if seen is None:
        return
    if operation.sid is None:
        yield Fault("stranger", operation.id, "a request without a cookie has a session")
    elif seen.get("user") != operation.user or seen.get("life") != operation.life:
        yield Fault("stranger", operation.id, f"{operation.user} sees the session of {seen.get('user')}")
    elif any(value.split()[0] != operation.user for value in _registers_of(seen).values()):
        yield Fault("stranger", operation.id, f"{operation.user} sees a value of another user")


def _registers_of(seen: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in seen.items() if isinstance(value, str) and key not in ("user", "life")}


def _undone(group: list[Operation]) -> Iterator[Fault]:
    """``group`` are the operations with one session id, by their start.

    Who asks for a new id by one that was renewed, within its grace, gets none, for they may be anybody: that ends nothing.
    """
    renewed = min((each.start for each in group if each.grace and each.may_have_written), default=inf)
    ends = [each for each in group if _found_or_made_dead(each)]
    ends = [each for each in ends if each.op != "rotate" or each.outcome != "ok" or each.new or each.end < renewed]
    if not ends:
        return
    first = min(ends, key=lambda each: each.end + each.grace)
    for operation in group:
        if operation.start > first.end + first.grace and operation.seen is not None:
            told = f"it lives {first.max_age or 'long'}, and {first.id} ({first.op}: {first.outcome}) had been told of its end"
            yield Fault("undone logout", operation.id, f"a session that was over answers; {told}")


def _found_or_made_dead(operation: Operation) -> bool:
    return operation.outcome in ("none", "gone") or (operation.ends and operation.outcome == "ok")


def _overtaken(group: list[Operation]) -> Iterator[Fault]:
    """``group`` are the operations with one login: a logout ends it under whatever id it has got meanwhile."""
    dead = min((each.end for each in group if each.op in ("logout", "revoke") and each.outcome == "ok"), default=inf)
    for operation in group:
        if operation.start > dead and operation.seen is not None:
            yield Fault("overtaken logout", operation.id, "a login that was ended goes on with another id")


def _revocations_of(login: Operation, revocations: Mapping[str, list[Operation]]) -> Iterator[Operation]:
    for mark in (login.account, login.where):
        yield from revocations.get(mark, ()) if mark else ()


def _outlived(login: Operation, group: list[Operation], revocations: Mapping[str, list[Operation]]) -> Iterator[Fault]:
    """``group`` are the operations with the login that ``login`` began.

    The server certainly had the request of a login when its handler looked at the session; it may have come late. One
    that has itself revoked all others first is as late as that, which was some time before its end.
    """
    began = login.end if login.revokes else login.seen_at
    all_ends = [each for each in _revocations_of(login, revocations) if each.outcome == "ok" and began < each.start]
    first = min(all_ends, key=lambda each: each.end, default=None)
    for operation in group:
        if first and operation.start > first.end and operation.seen is not None:
            told = f"{login.id} goes on after {first.id} had revoked {first.revokes}"
            yield Fault("outlived a revocation", operation.id, told)


def _beyond(account: list[Operation], lives: Mapping[str, list[Operation]], limit: int | None) -> Iterator[Fault]:
    """``account`` are the logins of one account."""
    if limit is None:
        return
    changes: list[tuple[float, int, Operation]] = []
    for login in account:
        last = max((each.start for each in lives.get(login.begins or "", ()) if each.seen is not None), default=0.0)
        if login.outcome == "ok" and last > login.end:
            changes += [(login.end, 1, login), (last, -1, login)]
    live = 0
    for _, change, login in sorted(changes, key=lambda each: each[:2]):
        live += change
        if change > 0 and live > limit:
            yield Fault("limit exceeded", login.id, f"{login.account} has {live} logins at once, and may have {limit}")


def _ended_by_others(
    login: Operation,
    revocations: Mapping[str, list[Operation]],
    logins: Mapping[str, list[Operation]],
    limit: int | None,
) -> float:
    """Return when ``login`` may have been ended at the earliest, by a revocation or because there were too many."""
    moments = [each.start for each in _revocations_of(login, revocations) if each.end > login.start]
    others = [each for each in logins.get(login.account or "", ()) if each is not login]
    if limit is not None and len(others) >= limit:
        enough = others[limit - 1].start
        moments += [max(each.start, enough) for each in others if each.end > login.start]
    return min(moments, default=inf)


def _lost_sessions(group: list[Operation], login: list[Operation], ended: float) -> Iterator[Fault]:
    """``group`` are the operations with one session id, ``login`` those of its login, which others ``ended``.

    A logout, or a new login, ends the old one as a whole. Who comes by an id that was renewed is sent on, and so may end
    the id that follows it. An end whose answer was lost is asked for once more, and is then told that there was nothing left
    to end: "gone" may have been its own doing.
    """
    renewed = {each.sid for each in login if each.op == "renew" or (each.may_renew and each.ends)}
    enders = [each for each in group if each.ends]
    enders += [each for each in login if each.op in ENDS_LOGIN or (each.ends and each.sid in renewed)]
    may_have_ended = [
        each.start for each in enders if each.may_have_written or (each.op in ENDS and each.outcome == "gone")
    ]
    ends = min([*may_have_ended, ended])
    for operation in group:
        if operation.outcome in ("none", "gone") and not operation.max_age and operation.end < ends:
            yield Fault("lost session", operation.id, "a session that nobody ended is gone")


def _expired(group: list[Operation]) -> Iterator[Fault]:
    until = group[0].start
    for operation in group:
        if not operation.max_age:
            return
        if operation.start > until + SLACK and operation is not group[0]:
            if operation.seen is not None:
                yield Fault("expired", operation.id, "a session answers after its time")
        elif operation.outcome == "unknown":
            return  # It may prolong the session at any time.
        else:
            until = max(until, operation.end + operation.max_age * 1e9)


def _registers(group: list[Operation]) -> Iterator[Fault]:
    """``group`` are the operations with one login. See Gibbons, Korach: Testing Shared Memories, 1997, section 4."""
    written: dict[str, dict[Any, Operation]] = defaultdict(dict)
    for operation in group:
        for key, value in (operation.writes or {}).items():
            written[key][value] = operation
    keys = set(written).union(*(_registers_of(each.seen) for each in group if each.seen))
    for key in keys:
        # Of each value, when the last of those who wrote or read it began, and when the first of them had ended.
        zones: dict[Any, list[float]] = {None: [-inf, -inf]}
        for value, operation in written[key].items():
            if operation.outcome == "ok":
                zones[value] = [operation.start, operation.end]
        last: dict[Any, Operation] = {}
        for operation in group:
            if operation.seen is None:
                continue
            value = operation.seen.get(key)
            writer = written[key].get(value)
            if value is not None and (writer is None or not writer.may_have_written):
                yield Fault("invented", operation.id, f"{key} has a value that nobody has written")
                continue
            if writer is not None and writer.start > operation.seen_at:
                yield Fault("invented", operation.id, f"{key} has a value that was not written yet")
                continue
            zone = zones.setdefault(value, [writer.start, inf] if writer else [-inf, -inf])
            zone[1] = min(zone[1], operation.seen_at)
            if operation.start >= zone[0]:
                zone[0] = operation.start
                last[value] = operation
        yield from _overlaps(key, zones, last)


def _overlaps(key: str, zones: dict[Any, list[float]], last: dict[Any, Operation]) -> Iterator[Fault]:
    """A value was certainly there from the first end to the last start; no other one was, meanwhile."""
    certain = sorted((end, start, value) for value, (start, end) in zones.items() if end < start)
    for (_, until, value), (since, _, _) in itertools.pairwise(certain):
        if since < until:
            yield Fault("lost update", last[value].id, f"{key} shows a value after that was overwritten")
    firsts = [since for since, _, _ in certain]
    for start, end in zones.values():
        if start <= end:
            position = bisect_left(firsts, start) - 1
            if position >= 0 and end < certain[position][1]:
                value = certain[position][2]
                yield Fault("lost update", last[value].id, f"{key} shows a value from before one that was acknowledged")


def _counters(group: list[Operation]) -> Iterator[Fault]:
    names = {each.counts for each in group if each.counts}
    for name in names:
        adders = [each for each in group if each.counts == name and each.may_have_written]
        begun = sorted(each.start for each in adders)
        ended = sorted(each.end for each in adders if each.outcome == "ok")
        for number, times in Counter(each.result for each in adders if each.result is not None).items():
            if times > 1:
                yield Fault("wrong counter", adders[0].id, f"{name}: {times} requests were told {number}")
        shown: list[tuple[float, float, int, Operation]] = []
        for each in group:
            if each.seen is not None:
                shown.append((each.start, each.seen_at, each.seen.get(name, 0), each))
            if each.counts == name and each.result is not None:
                # Its own is in it.
                shown.append((each.start, each.end, each.result, each))
        for start, by, value, operation in shown:
            least = bisect_left(ended, start) + (operation.result is value and operation.counts == name)
            most = bisect_right(begun, by)
            if not least <= value <= most:
                detail = f"{name} is {value}, with {least} added before and {most} begun by then"
                yield Fault("wrong counter", operation.id, detail)
        yield from _backwards(name, shown)


def _backwards(name: str, shown: list[tuple[float, float, int, Operation]]) -> Iterator[Fault]:
    by_end = sorted(shown, key=lambda each: each[1])
    position, largest = 0, 0
    for start, _, value, operation in sorted(shown, key=lambda each: each[0]):
        while position < len(by_end) and by_end[position][1] < start:
            largest = max(largest, by_end[position][2])
            position += 1
        if value < largest:
            yield Fault("wrong counter", operation.id, f"{name} is {value}, and had been {largest}")
