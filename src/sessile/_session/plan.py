# A plan is a value: what the rules (lifecycle.py) decide for one commit, before anything has happened. What meets
# another write on its way to the store is planned anew, here as well, from what is stored by then.
#
# Pure: no I/O, no clock, no framework.
"""What a commit is to do: the plan, and what becomes of it when somebody else wrote first."""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple

import msgspec

from sessile._records.attributes import original_max_age, refresh
from sessile._records.binding import DEVICE
from sessile._records.fields import SystemFields
from sessile._records.record import JSON, Contents, decode, encode, encode_changed, largest_key
from sessile._records.taken import TAKEN, taken_in
from sessile.errors import SessionTooLarge
from sessile.merge import merge
from sessile.options import Options

__all__ = [
    "Browser",
    "Operation",
    "Outcome",
    "Plan",
    "Resolved",
    "Rule",
    "check_size",
    "insist",
    "moved",
    "renamed",
    "resolve",
    "with_cookie",
    "with_renewed_cookie",
    "without_operation",
    "without_rotation",
]


class Outcome(Enum):
    """The states in which a request can leave a session."""

    # Enum's own hash is written in Python, and this one is taken at every commit.
    __hash__ = object.__hash__

    EMPTY = "empty"
    FILLED = "filled"
    SAME = "same"
    CHANGED = "changed"
    ALTERED = "altered"
    ROTATED = "rotated"
    DESTROYED = "destroyed"
    RELEASED = "released"
    LOST = "lost"


class Operation(Enum):
    """What a commit does to the store. ROTATE ends the old record and creates one under the new id."""

    NOTHING = "nothing"
    CREATE = "create"
    TOUCH = "touch"
    REPLACE = "replace"
    ROTATE = "rotate"
    DELETE = "delete"


class Browser(Enum):
    """What a commit does to the browser's cookie."""

    NOTHING = "nothing"
    SEND = "send"
    SEND_IF_IT_ENDS = "send if it has an end"
    EXPIRE = "expire"


class Rule(NamedTuple):
    """One row of the table."""

    operation: Operation
    browser: Browser


class Plan(msgspec.Struct, frozen=True, gc=False):
    """What a commit is to do, and with what. Nothing has happened yet."""

    outcome: Outcome
    operation: Operation = Operation.NOTHING
    browser: Browser = Browser.NOTHING
    #: The id of the record to write, or to delete.
    sid: str = ""
    #: For how many seconds from now the record lives.
    ttl: float = 0.0
    #: The cookie's attributes as they will be stored.
    cookie: dict[str, JSON] = {}
    #: The id that dies, in a rotation of a stored session.
    old_sid: str | None = None
    payload: bytes = b""
    #: What the store must still hold for the write to be right.
    expected: bytes = b""
    #: Which keys of the old session live on in the new one: all, none, or these.
    kept: frozenset[str] | bool = True
    #: Whether the life of the session begins anew.
    renews_life: bool = True
    #: For how many seconds the old id is good as well, in a rotation.
    grace: float = 0.0
    #: Whether the rotation is a renewal, which nobody asked for.
    renews: bool = False

    def __repr__(self) -> str:
        return f"<Plan {self.outcome.value}: {self.operation.value}, {self.browser.value}>"


class Resolved(NamedTuple):
    """What is to be written when somebody else wrote first."""

    plan: Plan
    collisions: tuple[str, ...]
    base: dict[str, JSON]
    mine: dict[str, JSON]
    theirs: dict[str, JSON]
    #: Their system fields.
    system: dict[str, JSON]
    #: What the plan expected and what it wanted to write, taken apart.
    sides: tuple[Contents, Contents]

    def __repr__(self) -> str:
        return f"<Resolved {len(self.collisions)} collisions>"

    @property
    def harmless(self) -> bool:
        """Whether they have changed no data, or the plan, a renewal, changes none: there is nothing to disagree on."""
        return self.base == self.theirs or (self.plan.renews and self.base == self.mine)


def resolve(
    plan: Plan,
    current: bytes,
    options: Options,
    *,
    own_cookie: bool,
    strict: bool,
    now: float,
    fields: SystemFields,
    earlier: Resolved | None = None,
) -> Resolved | None:
    """Apply to ``current``, the payload stored now, what ``plan`` changes in the payload that it expected.

    ``own_cookie`` says whose cookie attributes are right: the plan's, or those stored now. ``strict``: see ``merge``.
    ``earlier`` is what this returned for the same plan before: it saves half of the work. Returns None if ``current``
    is corrupt, and so not a session.
    """
    if earlier is None or options.merge:  # An application's function may change what it is given.
        base, mine = decode(plan.expected), decode(plan.payload)
    else:
        base, mine = earlier.sides
    theirs = decode(current)
    if base is None or mine is None or theirs is None:
        return None
    fields.check(base)
    fields.check(theirs)
    if not isinstance(plan.kept, bool):
        for contents in (base, theirs):
            contents.data = {key: value for key, value in contents.data.items() if key in plan.kept}
    merged = merge(base.data, mine.data, theirs.data, depth=options.merge_depth, functions=options.merge, strict=strict)
    if own_cookie or not theirs.cookie:
        cookie = plan.cookie
    elif plan.operation is Operation.ROTATE:
        cookie = _with_life(plan, base.cookie or {}, theirs.cookie)
    else:
        cookie = dict(theirs.cookie)
        if base.cookie and original_max_age(base.cookie) != original_max_age(plan.cookie):
            # A change of this request, of whose new id nothing came: another one was first.
            cookie |= {"originalMaxAge": plan.cookie.get("originalMaxAge"), "expires": plan.cookie.get("expires")}
    if plan.renews_life:
        refresh(cookie, now)
    system = fields.sealed_again(merge(base.system, mine.system, theirs.system, depth=2).data)
    changed: dict[str, JSON] = {key: None for key, value in merged.data.items() if value is not theirs.data.get(key)}
    payload = encode_changed(Contents(merged.data, cookie, system), changed)
    check_size(payload, merged.data, options, len(current))
    resolved = msgspec.structs.replace(plan, payload=payload, expected=current, cookie=cookie)
    return Resolved(resolved, merged.collisions, base.data, mine.data, theirs.data, theirs.system, (base, mine))


def _with_life(plan: Plan, base: dict[str, JSON], theirs: dict[str, JSON]) -> dict[str, JSON]:
    """Return the cookie of a session with a new id, with the length of life that another request has given it.

    But not where the new id came with a length of its own: it is that of a log-in, or of a session begun anew.
    """
    before, after = original_max_age(base), original_max_age(theirs)
    if plan.kept is not True or before == after or original_max_age(plan.cookie) != before:
        return plan.cookie
    return {**plan.cookie, "originalMaxAge": theirs.get("originalMaxAge"), "expires": theirs.get("expires")}


def check_size(payload: bytes, data: dict[str, JSON], options: Options, before: int) -> None:
    """Raise SessionTooLarge if ``payload``, which holds ``data``, is too large, unless it is no larger than ``before``.

    So a record that another program has made larger can be made smaller.
    """
    size = len(payload)
    if size > options.max_bytes and size > before:
        raise SessionTooLarge(size, options.max_bytes, *largest_key(data))


def insist(plan: Plan, current: bytes, fields: SystemFields) -> Plan:
    """Return ``plan`` so that it replaces ``current``, whatever that says: ``conflict="overwrite"``.

    But what another request has taken with ``pop_once`` stays taken, and a device that was registered stays so.
    """
    base, mine, theirs = decode(plan.expected), decode(plan.payload), decode(current)
    if base is None or mine is None or theirs is None:
        return msgspec.structs.replace(plan, expected=current)
    fields.check(theirs)
    taken = taken_in(theirs.system)
    fresh = {TAKEN: taken} if taken and taken != taken_in(mine.system) else {}
    if DEVICE in theirs.system and mine.system.get(DEVICE) == base.system.get(DEVICE) != theirs.system[DEVICE]:
        fresh[DEVICE] = theirs.system[DEVICE]
    if not fresh:
        return msgspec.structs.replace(plan, expected=current)
    for key in fresh.get(TAKEN, ()):
        if key in mine.data and key in base.data and mine.data[key] == base.data[key]:
            del mine.data[key]
    mine.system = fields.sealed_again({**mine.system, **fresh})
    return msgspec.structs.replace(plan, expected=current, payload=encode(mine))


def moved(plan: Plan, sid: str) -> Plan:
    """Return ``plan`` for a session that has the id ``sid`` by now."""
    if plan.operation is Operation.ROTATE:
        return msgspec.structs.replace(plan, old_sid=sid)
    return msgspec.structs.replace(plan, sid=sid)


def with_ttl(plan: Plan, ttl: float) -> Plan:
    """Return ``plan`` with a record that lives for ``ttl`` seconds."""
    return msgspec.structs.replace(plan, ttl=ttl)


def without_operation(plan: Plan) -> Plan:
    """Return ``plan`` so that it leaves the store alone."""
    return msgspec.structs.replace(plan, operation=Operation.NOTHING)


def without_rotation(plan: Plan, sid: str, fields: SystemFields) -> Plan:
    """Return ``plan``, a rotation, so that it stores what was changed and leaves the session ``sid`` its id."""
    plan = msgspec.structs.replace(plan, operation=Operation.REPLACE, old_sid=None)
    mine, before = decode(plan.payload), decode(plan.expected)
    if mine is not None and before is not None and DEVICE in mine.system:
        # With the new id goes the new binding: the session keeps the one that it has.
        fields.check(before)
        system = {name: value for name, value in mine.system.items() if name != DEVICE}
        if DEVICE in before.system:
            system[DEVICE] = before.system[DEVICE]
        mine.system = fields.sealed_again(system)
        plan = msgspec.structs.replace(plan, payload=encode(mine))
    return renamed(plan, sid, fields)


def renamed(plan: Plan, sid: str, fields: SystemFields) -> Plan:
    """Return ``plan`` so that it stores the session under ``sid``."""
    contents = decode(plan.payload)
    if contents is None or not contents.system:
        return msgspec.structs.replace(plan, sid=sid)
    contents.system = fields.sealed(contents.system, sid)
    return msgspec.structs.replace(plan, sid=sid, payload=encode(contents))


def with_renewed_cookie(plan: Plan, now: float) -> Plan:
    """Return ``plan`` so that the browser gets the cookie again, with a whole life from ``now``."""
    refresh(cookie := dict(plan.cookie), now)
    return with_cookie(plan, cookie)


def with_cookie(plan: Plan, cookie: dict[str, JSON]) -> Plan:
    """Return ``plan`` so that the browser gets ``cookie``, which an earlier save has promised it."""
    return msgspec.structs.replace(plan, browser=Browser.SEND, cookie=cookie)
