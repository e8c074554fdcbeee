# The life of a session, as a table. This is the whole of it: what a request leaves behind follows from the state that
# it leaves the session in. The states, RULES and OPTIONS below are what the code runs on and what the diagram in the
# docs is drawn from.
#
#   state        how a request gets there                          the store            the browser
#   ---------    ----------------------------------------------    -----------------    -----------------------
#   EMPTY        no session came, nothing was put in               -                    -
#   FILLED       no session came, something was put in             create               gets the cookie
#   SAME         one was loaded and not changed                    touch                -
#   CHANGED      one was loaded and its data changed               replace              gets it if it has an end
#   ALTERED      ... or an attribute of its cookie, or touch()     replace              gets the cookie
#   ROTATED      regenerate(), login()                             rotate               gets the cookie
#   DESTROYED    destroy(), logout()                               delete               loses the cookie
#   RELEASED     the framework's slot was set to None              -                    -
#   LOST         somebody else ended it meanwhile                  -                    -
#
#   option                    state       instead
#   save_uninitialized=True   EMPTY       like FILLED
#   resave=True               SAME        replace
#   rolling=True              SAME        gets the cookie
#   rolling=True              CHANGED     gets the cookie
#   unset="destroy"           RELEASED    like DESTROYED
#
# Two options that a handler may overrule for its request: autosave=False creates and replaces only where save() asks
# for it, and carries intents out all the same; a request that `extends` nothing touches no record and renews no cookie,
# and what it changed ends when it would have ended. With touch_after, a request finds a session that has lost less of
# its life than that, and extends nothing either.
#
# A Lifetime sets limits: a record lives no longer after a visit than it says, a session that is over by its absolute
# limit is opened no more, and one that has had its id for too long is ROTATED, whatever state it is in (`renew`).
#
# And three rules that no option changes:
#   1. A cookie leaves only after the store has confirmed what it promises.
#   2. What the store no longer has (Missing) is not written again, and the browser's cookie is left alone: it may
#      hold a newer one by now.
#   3. Ids that we did not make are never used; an unknown id gives a session in EMPTY with an id of its own.
#
# Pure: no I/O, no clock, no framework. Everything here is a function of its arguments.
"""The rules: what becomes of a session when its request is over."""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple

import msgspec

from holdfast.attributes import iso, original_max_age, parse_iso, refresh
from holdfast.lifetime import Lifetime, seconds
from holdfast.merge import merge
from holdfast.options import CookieOptions, Options
from holdfast.record import JSON, Contents, decode, encode
from holdfast.session import Intent, Session
from holdfast.stores.base import Record
from holdfast.tombstone import tombstone_of

__all__ = [
    "OPTIONS",
    "RULES",
    "Browser",
    "Moved",
    "Operation",
    "Plan",
    "State",
    "Verdict",
    "autosaves",
    "commit",
    "examine",
    "insist",
    "is_due",
    "is_idle",
    "life_of",
    "moved",
    "renew",
    "resolve",
    "rules_for",
    "state_of",
    "with_cookie",
    "with_renewed_cookie",
    "without_operation",
    "without_rotation",
]


class State(Enum):
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


RULES: dict[State, Rule] = {
    State.EMPTY: Rule(Operation.NOTHING, Browser.NOTHING),
    State.FILLED: Rule(Operation.CREATE, Browser.SEND),
    State.SAME: Rule(Operation.TOUCH, Browser.NOTHING),
    State.CHANGED: Rule(Operation.REPLACE, Browser.SEND_IF_IT_ENDS),
    State.ALTERED: Rule(Operation.REPLACE, Browser.SEND),
    State.ROTATED: Rule(Operation.ROTATE, Browser.SEND),
    State.DESTROYED: Rule(Operation.DELETE, Browser.EXPIRE),
    State.RELEASED: Rule(Operation.NOTHING, Browser.NOTHING),
    State.LOST: Rule(Operation.NOTHING, Browser.NOTHING),
}

#: (option, its value, state): what the rule becomes. Applied in this order.
OPTIONS: list[tuple[str, object, State, Operation | None, Browser | None]] = [
    ("save_uninitialized", True, State.EMPTY, Operation.CREATE, Browser.SEND),
    ("resave", True, State.SAME, Operation.REPLACE, None),
    ("rolling", True, State.SAME, None, Browser.SEND),
    ("rolling", True, State.CHANGED, None, Browser.SEND),
    ("unset", "destroy", State.RELEASED, Operation.DELETE, Browser.EXPIRE),
]


def rules_for(options: Options, *, carried: bool = False) -> dict[State, Rule]:
    """Return RULES as ``options`` change them. ``carried``: the record is in the cookie, so to write is to send."""
    rules = dict(RULES)
    for name, value, state, operation, browser in OPTIONS:
        if getattr(options, name) == value:
            rule = rules[state]
            rules[state] = Rule(operation or rule.operation, browser or rule.browser)
    for state, rule in rules.items():
        if carried and rule.operation is Operation.REPLACE:
            rules[state] = Rule(rule.operation, Browser.SEND)
    return rules


# Opening --------------------------------------------------------------------------------------------------------------


class Verdict(Enum):
    """Why a record that a cookie names is no session."""

    UNKNOWN = "unknown"
    EXPIRED = "expired"
    CORRUPT = "corrupt"
    #: The session has got another id, and the time in which this one was good as well is over.
    REPLAYED = "replayed"


class Moved(NamedTuple):
    """Says that a session goes on under another id, and requests that come by this one are sent on."""

    sid: str
    #: Whether they are given the new id as well.
    tells: bool


def examine(
    sid: str, record: Record | None, now: float, lifetime: Lifetime | None = None
) -> Contents | Moved | Verdict:
    """Return what ``record``, that of ``sid``, holds if it is a live session, or why it is none.

    Its own expiry decides, by our clock, and what it says of its beginning; whether the store has removed it yet does
    not matter.
    """
    if record is None:
        return Verdict.UNKNOWN
    if record.expires_at <= now:
        return Verdict.EXPIRED
    contents = decode(record.payload)
    if contents is None:
        return Verdict.CORRUPT
    if not contents.system:
        return contents
    stone = tombstone_of(sid, contents.system)
    if stone is None:
        if lifetime is not None and lifetime.end(contents.system, now) <= now:
            return Verdict.EXPIRED
        return contents
    if stone.sends_on(now):
        return Moved(stone.successor, stone.tells)
    return Verdict.UNKNOWN if stone.until is None else Verdict.REPLAYED


def new_cookie(cookie: CookieOptions, secure: bool, now: float) -> dict[str, JSON]:
    """Return the attributes of a new session's cookie as express-session stores them, in its order.

    ``secure`` tells whether the request came by https, for the two "auto" settings.
    """
    life = cookie.lifetime(now)
    is_secure = secure if cookie.secure == "auto" else cookie.secure
    same_site = cookie.same_site
    if same_site == "auto":
        same_site = "none" if is_secure else "lax"
    stored: dict[str, JSON] = {"originalMaxAge": None if life is None else round(life * 1000)}
    if cookie.partitioned:
        stored["partitioned"] = True
    if cookie.priority:
        stored["priority"] = cookie.priority
    stored["expires"] = None if life is None else iso(now + life)
    if is_secure or cookie.secure == "auto":
        stored["secure"] = is_secure
    stored["httpOnly"] = cookie.http_only
    if cookie.domain:
        stored["domain"] = cookie.domain
    stored["path"] = cookie.path
    if same_site:
        stored["sameSite"] = same_site
    return stored


# Committing -----------------------------------------------------------------------------------------------------------


class Plan(msgspec.Struct, frozen=True, gc=False):
    """What a commit is to do, and with what. Nothing has happened yet."""

    state: State
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
    extends: bool = True
    #: For how many seconds the old id is good as well, in a rotation.
    grace: float = 0.0
    #: Whether the rotation is a renewal, which nobody asked for.
    renews: bool = False


_OF_INTENT = {
    Intent.REGENERATE: State.ROTATED,
    Intent.DESTROY: State.DESTROYED,
    Intent.LOST: State.LOST,
}

#: What most requests of strangers need, made once.
_IDLE = Plan(State.EMPTY)


def state_of(session: Session | None) -> State:
    """Tell in which state a request leaves ``session``; None stands for a slot that was set to None."""
    if session is None:
        return State.RELEASED
    if session._intent is not Intent.KEEP:
        return _OF_INTENT[session._intent]
    if session._payload is None:
        return State.FILLED if session.cookie_changed or session.data_changed() else State.EMPTY
    if session._touched or session.cookie_changed:
        return State.ALTERED
    if session._restated or (session.may_have_changed() and session.data_changed()):
        return State.CHANGED
    return State.SAME


def is_idle(session: Session) -> bool:
    """Tell at a glance that ``session`` was loaded and left alone, so that its state is SAME. False: look closer."""
    return (
        session._loaded is not None
        and not (session._written or session._exposed or session._renewed)
        and session._cookie is None
        and session._extends is None
    )


def is_due(session: Session, ttl: float, options: Options, now: float) -> bool:
    """Tell whether a session that may live for ``ttl`` seconds from now has lost enough of that to be touched.

    Sessions that began together come to differ by up to a tenth, so that their writes do.
    """
    patience = min(options.touch_after * (1 + hash(session._loaded) % 128 / 1280), ttl / 2)
    return now + ttl - session._ends >= patience


def renew(options: Options, session: Session, now: float, *, asked: bool = False) -> None:
    """Give ``session`` a new id at the end of its request, if it has had its own for too long, and note its beginning.

    Not where nobody would learn of it: outside a request, once the head of the response is gone, where nothing is to be
    written, and where the visitor is known by an id of before.
    """
    lifetime = options.lifetime
    if lifetime is None or session.over or session._intent not in (Intent.KEEP, Intent.REGENERATE):
        return
    may_write = asked or not session.may_have_changed() or autosaves(options, session)
    if (
        session._intent is Intent.KEEP
        and session._payload is not None
        and session._facts is not None
        and session._pocket is None
        and session._extends is not False
        and not (session._headless or session.sent_on or session.fence)
        and may_write
        and lifetime.renewal_is_due(session._system, now)
    ):
        session.renew(seconds(lifetime.renewal_grace) or 0.0, now)
    if lifetime.lacks_beginning(session._system) and may_write:
        session.begin(now)


def autosaves(options: Options, session: Session) -> bool:
    """Tell whether what a request changed is stored without being asked for."""
    return options.autosave if session._autosave is None else session._autosave


def commit(
    options: Options, rules: dict[State, Rule], session: Session, released: bool, now: float, *, asked: bool = False
) -> Plan:
    """Say what is to be done for ``session`` at the end of its request.

    ``released`` tells that the framework's slot was set to None; ``asked``, that the handler calls for it with
    ``save()``. Raises UnserialisableValue if the session holds what no record can.
    """
    state = state_of(None if released else session)
    operation, browser = rules[state]
    if not asked and not autosaves(options, session):
        state, operation, browser = _unsaved(state, operation, browser)
    if operation is Operation.NOTHING or (state is State.SAME and session._extends is False):
        return _IDLE
    cookie = session.cookie_attributes()
    if operation is Operation.DELETE:
        return Plan(state, operation, browser, session._loaded or "", 0.0, cookie)
    ttl = life_of(session._system, cookie, options, now)
    if operation is Operation.TOUCH:
        if options.touch_after and session._pocket is None and not is_due(session, ttl, options, now):
            return _IDLE
        if browser is not Browser.NOTHING:
            refresh(cookie := dict(cookie), now)
        return Plan(state, operation, browser, session._loaded or "", ttl, cookie)
    extends = session._extends is not False or state is not State.CHANGED
    if not extends:
        ttl = session._ends - now
        browser = Browser.NOTHING if session._pocket is None else Browser.SEND
    return _write(session, state, operation, browser, ttl, extends, now)


def _unsaved(state: State, operation: Operation, browser: Browser) -> tuple[State, Operation, Browser]:
    """Return what is left to do in ``state`` if changes are stored only where the handler asks for it."""
    if state in (State.EMPTY, State.FILLED):
        return State.EMPTY, Operation.NOTHING, Browser.NOTHING
    if state in (State.SAME, State.CHANGED, State.ALTERED):
        return State.SAME, Operation.TOUCH, browser if state is State.SAME else Browser.NOTHING
    return state, operation, browser


def _write(
    session: Session, state: State, operation: Operation, browser: Browser, ttl: float, extends: bool, now: float
) -> Plan:
    contents = session.contents()
    contents.cookie = dict(session.cookie_attributes())
    if extends:
        refresh(contents.cookie, now)
    return Plan(
        state,
        operation,
        _if_it_ends(browser, contents.cookie),
        sid=session.sid(),
        old_sid=session._loaded,
        payload=encode(contents),
        expected=session._payload or b"",
        ttl=ttl,
        cookie=contents.cookie,
        kept=session._kept if operation is Operation.ROTATE else True,
        extends=extends,
        grace=session._grace if operation is Operation.ROTATE else 0.0,
        renews=session._renews and operation is Operation.ROTATE,
    )


def _if_it_ends(browser: Browser, cookie: dict[str, JSON]) -> Browser:
    if browser is not Browser.SEND_IF_IT_ENDS:
        return browser
    return Browser.NOTHING if cookie.get("expires") is None else Browser.SEND


def life_of(system: dict[str, JSON], cookie: dict[str, JSON], options: Options, now: float) -> float:
    """Return for how many seconds from now the record of a session with these system fields and this cookie lives."""
    life: float | None = None
    if cookie.get("originalMaxAge") is not None or cookie.get("expires") is not None:
        milliseconds = original_max_age(cookie)
        if milliseconds is not None:
            life = milliseconds / 1000
        else:
            end = parse_iso(cookie.get("expires"))
            life = None if end is None else end.timestamp() - now
    if options.lifetime is not None:
        return options.lifetime.of_record(system, life, options.ttl)
    return options.ttl if life is None else life


# Conflicts ------------------------------------------------------------------------------------------------------------


class Resolved(NamedTuple):
    """What is to be written when somebody else wrote first."""

    plan: Plan
    collisions: tuple[str, ...]
    base: dict[str, JSON]
    mine: dict[str, JSON]
    theirs: dict[str, JSON]
    #: Their system fields.
    system: dict[str, JSON]

    @property
    def harmless(self) -> bool:
        """Whether they have changed no data, or the plan, a renewal, changes none: there is nothing to disagree on."""
        return self.base == self.theirs or (self.plan.renews and self.base == self.mine)


def resolve(
    plan: Plan, current: bytes, options: Options, *, own_cookie: bool, strict: bool, now: float
) -> Resolved | None:
    """Apply to ``current``, the payload stored now, what ``plan`` changes in the payload that it expected.

    ``own_cookie`` says whose cookie attributes are right: the plan's, or those stored now. ``strict``: see ``merge``.
    Returns None if
    ``current`` is no session, but corrupt.
    """
    base, mine, theirs = decode(plan.expected), decode(plan.payload), decode(current)
    if base is None or mine is None or theirs is None:
        return None
    if not isinstance(plan.kept, bool):
        for contents in (base, theirs):
            contents.data = {key: value for key, value in contents.data.items() if key in plan.kept}
    merged = merge(base.data, mine.data, theirs.data, depth=options.merge_depth, functions=options.merge, strict=strict)
    cookie = plan.cookie if own_cookie else dict(theirs.cookie or plan.cookie)
    if plan.extends:
        refresh(cookie, now)
    system = merge(base.system, mine.system, theirs.system, depth=2).data
    payload = encode(Contents(merged.data, cookie, system))
    resolved = msgspec.structs.replace(plan, payload=payload, expected=current, cookie=cookie)
    return Resolved(resolved, merged.collisions, base.data, mine.data, theirs.data, theirs.system)


def insist(plan: Plan, current: bytes) -> Plan:
    """Return ``plan`` so that it replaces ``current``, whatever that says: ``conflict="overwrite"``."""
    return msgspec.structs.replace(plan, expected=current)


def moved(plan: Plan, sid: str) -> Plan:
    """Return ``plan`` for a session that has the id ``sid`` by now."""
    if plan.operation is Operation.ROTATE:
        return msgspec.structs.replace(plan, old_sid=sid)
    return msgspec.structs.replace(plan, sid=sid)


def without_operation(plan: Plan) -> Plan:
    """Return ``plan`` so that it leaves the store alone."""
    return msgspec.structs.replace(plan, operation=Operation.NOTHING)


def without_rotation(plan: Plan, sid: str) -> Plan:
    """Return ``plan``, a rotation, so that it stores what was changed and leaves the session ``sid`` its id."""
    return msgspec.structs.replace(plan, operation=Operation.REPLACE, sid=sid, old_sid=None)


def with_renewed_cookie(plan: Plan, now: float) -> Plan:
    """Return ``plan`` so that the browser gets the cookie again, with a whole life from ``now``."""
    refresh(cookie := dict(plan.cookie), now)
    return with_cookie(plan, cookie)


def with_cookie(plan: Plan, cookie: dict[str, JSON]) -> Plan:
    """Return ``plan`` so that the browser gets ``cookie``, which an earlier save has promised it."""
    return msgspec.structs.replace(plan, browser=Browser.SEND, cookie=cookie)
