# The life of a session, as a table. This is the whole of it: what a request leaves behind follows from its outcome for
# the session. The outcomes (plan.py), RULES and OPTIONS are what the code runs on and what the diagram in the docs is
# drawn from.
#
#   outcome      how a request gets there                          the store            the browser
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
#   option                    outcome     instead
#   save_uninitialized=True   EMPTY       like FILLED
#   resave=True               SAME        replace
#   rolling=True              SAME        gets the cookie
#   rolling=True              CHANGED     gets the cookie
#   unset="destroy"           RELEASED    like DESTROYED
#
# Two options that a handler may overrule for its request: autosave=False creates and replaces only where save() asks
# for it, and carries intents out all the same; a request with keep_alive=False touches no record and renews no cookie,
# and what it changed ends when it would have ended. With touch_after, a request that finds a session which has lost
# less of its life than that renews nothing either.
#
# A Lifetime sets limits: a record lives no longer after a visit than it says, a session that is over by its absolute
# limit is opened no more, and one that has had its id for too long is ROTATED, whatever the outcome was (`renew`).
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

import math
from enum import Enum
from typing import NamedTuple

from sessile._records.attributes import ends_inside, iso, original_max_age, parse_iso, refresh
from sessile._records.binding import DEVICE
from sessile._records.fields import SystemFields
from sessile._records.record import CREATED, JSON, RENEWED, Contents, decode, differs, encode, encode_changed
from sessile._records.tombstone import tombstone_of
from sessile._session import data
from sessile._session.plan import Browser, Operation, Outcome, Plan, Rule, check_size
from sessile._session.session import Session
from sessile._session.state import Intent, State
from sessile._session.watched import state_of
from sessile.lifetime import MOMENTS, Lifetime, moment, seconds
from sessile.options import CookieOptions, Options
from sessile.stores.base import Record

__all__ = [
    "OPTIONS",
    "RULES",
    "Moved",
    "Verdict",
    "commit",
    "examine",
    "is_due",
    "is_idle",
    "is_over",
    "is_rewritten",
    "is_untouched",
    "life_of",
    "new_cookie",
    "outcome_of",
    "renew",
    "rules_for",
]


RULES: dict[Outcome, Rule] = {
    Outcome.EMPTY: Rule(Operation.NOTHING, Browser.NOTHING),
    Outcome.FILLED: Rule(Operation.CREATE, Browser.SEND),
    Outcome.SAME: Rule(Operation.TOUCH, Browser.NOTHING),
    Outcome.CHANGED: Rule(Operation.REPLACE, Browser.SEND_IF_IT_ENDS),
    Outcome.ALTERED: Rule(Operation.REPLACE, Browser.SEND),
    Outcome.ROTATED: Rule(Operation.ROTATE, Browser.SEND),
    Outcome.DESTROYED: Rule(Operation.DELETE, Browser.EXPIRE),
    Outcome.RELEASED: Rule(Operation.NOTHING, Browser.NOTHING),
    Outcome.LOST: Rule(Operation.NOTHING, Browser.NOTHING),
}

#: (option, its value, outcome): what the rule becomes. Applied in this order.
OPTIONS: list[tuple[str, object, Outcome, Operation | None, Browser | None]] = [
    ("save_uninitialized", True, Outcome.EMPTY, Operation.CREATE, Browser.SEND),
    ("resave", True, Outcome.SAME, Operation.REPLACE, None),
    ("rolling", True, Outcome.SAME, None, Browser.SEND),
    ("rolling", True, Outcome.CHANGED, None, Browser.SEND),
    ("unset", "destroy", Outcome.RELEASED, Operation.DELETE, Browser.EXPIRE),
]


def rules_for(options: Options, *, carried: bool = False) -> dict[Outcome, Rule]:
    """Return RULES as ``options`` change them. ``carried``: the record is in the cookie, so to write is to send."""
    rules = dict(RULES)
    for name, value, outcome, operation, browser in OPTIONS:
        if getattr(options, name) == value:
            rule = rules[outcome]
            rules[outcome] = Rule(operation or rule.operation, browser or rule.browser)
    for outcome, rule in rules.items():
        if carried and rule.operation is Operation.REPLACE:
            rules[outcome] = Rule(rule.operation, Browser.SEND)
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

    def __repr__(self) -> str:
        return "<Moved>"


def examine(
    sid: str,
    record: Record | None,
    now: float,
    lifetime: Lifetime | None = None,
    ttl: float = math.inf,
    fields: SystemFields | None = None,
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
        return Verdict.EXPIRED if lifetime is not None and _is_idle(contents, record, now, lifetime, ttl) else contents
    if fields is not None:
        fields.check(contents)
    stone = tombstone_of(sid, contents.system)
    if stone is None:
        if lifetime is not None and (
            lifetime.end(contents.system, now) <= now or _is_idle(contents, record, now, lifetime, ttl)
        ):
            return Verdict.EXPIRED
        return contents
    if stone.sends_on(now):
        return Moved(stone.successor, stone.tells)
    return Verdict.UNKNOWN if stone.until is None else Verdict.REPLAYED


def _is_idle(contents: Contents, record: Record, now: float, lifetime: Lifetime, ttl: float) -> bool:
    """Return True if a session has been idle for too long that was last used when no limit said so.

    Its record would live longer than a visit now gives it; so its last visit was a life of the cookie before its end.
    """
    life = _cookie_life(contents.cookie or {}, now)
    own = lifetime.of_record(contents.system, life, ttl)
    if record.expires_at - now <= own + 1:  # Some servers keep whole seconds.
        return False
    seen = record.expires_at - (ttl if life is None else life)
    # Another program may have given it another life; but not before these.
    system = contents.system
    return max([seen, *(moment(system[name], now) for name in MOMENTS if name in system)]) + own <= now


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


_OF_INTENT = {
    Intent.REGENERATE: Outcome.ROTATED,
    Intent.DESTROY: Outcome.DESTROYED,
    Intent.LOST: Outcome.LOST,
}

#: By how many bytes a log-in, a new id or a lock may make a record grow that is too large already.
GROWTH = 4096

#: What most requests of strangers need, made once.
_IDLE = Plan(Outcome.EMPTY)


def outcome_of(session: Session | None) -> Outcome:
    """Return what a request has done to ``session``; None stands for a slot that was set to None."""
    if session is None:
        return Outcome.RELEASED
    state = state_of(session)
    if state.intent is not Intent.KEEP:
        return _OF_INTENT[state.intent]
    if state.payload is None:
        return Outcome.FILLED if state.cookie_changed() or data.has_changed(session, state) else Outcome.EMPTY
    if state.touched or state.cookie_changed():
        return Outcome.ALTERED
    if state.restated or (state.may_have_changed() and data.has_changed(session, state)):
        return Outcome.CHANGED
    return Outcome.SAME


def is_idle(state: State, session: Session) -> bool:
    """Return True if it is plain that a session was loaded and left as it was, so that the outcome is SAME."""
    if state.loaded is None or state.written or state.cookie is not None or state.keep_alive is not None:
        return False
    return not state.exposed or (
        state.before is not None and not state.views and differs(session, state.before) is False
    )


def is_untouched(state: State, session: Session) -> bool:
    """Return True if it is plain that nothing was put into a new session, so that the outcome is EMPTY."""
    return (
        state.payload is None
        and not (state.written or state.exposed or state.committed or state.views)
        and state.intent is Intent.KEEP
        and state.cookie is None
        and state.promised is None
        and not dict.__len__(session)
    )


def is_due(state: State, ttl: float, options: Options, now: float) -> bool:
    """Return True if a session that may live for ``ttl`` seconds from now has lost enough of that to be touched.

    Sessions that began together come to differ by up to a tenth, so that their writes do.
    """
    patience = min(options.touch_after * (1 + hash(state.loaded) % 128 / 1280), ttl / 2)
    return now + ttl - state.ends >= patience


def is_rewritten(options: Options, cookie: dict[str, JSON]) -> bool:
    """Tell whether a session whose life is extended is written, and not touched, so that its record has its new end.

    That is so where @fastify/session or koa-session goes by what the record says.
    """
    return options.token == "koa-session" or (  # noqa: S105
        cookie.get("expires") is not None and (options.token == "fastify-session" or ends_inside(cookie))  # noqa: S105
    )


def renew(options: Options, session: Session, now: float, *, asked: bool = False) -> None:
    """Give ``session`` a new id at the end of its request, if it has had its own for too long, and note its beginning.

    Not where nobody would learn of it: outside a request, once the head of the response is gone, where nothing is to be
    written, and where the visitor is known by an earlier id.
    """
    lifetime, state = options.lifetime, state_of(session)
    if lifetime is None or state.ended is not None or state.intent not in (Intent.KEEP, Intent.REGENERATE):
        return
    may_write = asked or not state.may_have_changed() or _autosaves(options, state)
    if (
        state.intent is Intent.KEEP
        and state.payload is not None
        and state.facts is not None
        and state.own_store is None
        and state.keep_alive is not False
        and not (state.headless or state.sent_on or state.fence)
        and may_write
        and lifetime.renewal_is_due(state.system, now)
    ):
        session.regenerate(keep=True, grace=seconds(lifetime.renewal_grace) or 0.0)
        state.system = {**state.system, RENEWED: now}
        state.renews = True
    if lifetime.lacks_beginning(state.system) and may_write:
        state.system = {**state.system, CREATED: now}
        state.restated = True


def is_over(options: Options, session: Session) -> bool:
    """Tell whether a request has left ``session`` with neither data nor a log-in, where such a session ends.

    That is so in the frameworks whose own sessions do (``State.ends_empty``). One that ``regenerate()`` has begun in so
    many words goes on.
    """
    state = state_of(session)
    if not state.ends_empty or state.headless or options.save_uninitialized or state.ended is not None:
        return False
    if dict.__len__(session) or state.cookie_changed() or not state.system.keys() <= {CREATED, RENEWED, DEVICE}:
        return False
    if state.intent is Intent.REGENERATE:
        return state.emptied
    changed = state.intent is Intent.KEEP and state.loaded is not None and state.may_have_changed()
    return changed and _autosaves(options, state) and data.has_changed(session, state)


def _autosaves(options: Options, state: State) -> bool:
    """Return True if what a request changed is stored without being asked for."""
    return options.autosave if state.autosave is None else state.autosave


def commit(
    options: Options, rules: dict[Outcome, Rule], session: Session, released: bool, now: float, *, asked: bool = False
) -> Plan:
    """Return what is to be done for ``session`` at the end of its request.

    ``released``: the framework's slot was set to None. ``asked``: the handler calls for it with ``save()``. Raises
    UnserialisableValue if the session holds what no record can.
    """
    state = state_of(session)
    outcome = left = outcome_of(None if released else session)
    operation, browser = rules[outcome]
    if not asked and not _autosaves(options, state):
        outcome, operation, browser = _unsaved(outcome, operation, browser)
    if operation is Operation.NOTHING or (outcome is Outcome.SAME and state.keep_alive is False):
        return _IDLE
    cookie = data.cookie_of(state)
    if operation is Operation.DELETE:
        return Plan(outcome, operation, browser, state.loaded or "", 0.0, cookie)
    ttl = life_of(state.system, cookie, options, now)
    if operation is Operation.TOUCH:
        if options.touch_after and state.own_store is None and not is_due(state, ttl, options, now):
            return _IDLE
        # What was changed and is not to be saved is not written for its end either.
        if left is not Outcome.SAME or state.own_store is not None or not is_rewritten(options, cookie):
            if browser is not Browser.NOTHING:
                refresh(cookie := dict(cookie), now)
            return Plan(outcome, operation, browser, state.loaded or "", ttl, cookie)
        operation = Operation.REPLACE
    renews_life = state.keep_alive is not False or outcome is not Outcome.CHANGED
    if not renews_life:
        ttl = state.ends - now
        browser = Browser.NOTHING if state.own_store is None else Browser.SEND
    plan = _write(session, outcome, operation, browser, ttl, renews_life, now)
    if len(plan.payload) > options.max_bytes:
        grows = operation is Operation.ROTATE or state.restated or state.fence > 0
        check_size(plan.payload, session, options, len(plan.expected) + (GROWTH if grows else 0))
    return plan


def _unsaved(outcome: Outcome, operation: Operation, browser: Browser) -> tuple[Outcome, Operation, Browser]:
    """Return what is left to do if changes are stored only where the handler asks for it."""
    if outcome in (Outcome.EMPTY, Outcome.FILLED):
        return Outcome.EMPTY, Operation.NOTHING, Browser.NOTHING
    if outcome in (Outcome.SAME, Outcome.CHANGED, Outcome.ALTERED):
        return Outcome.SAME, Operation.TOUCH, browser if outcome is Outcome.SAME else Browser.NOTHING
    return outcome, operation, browser


def _write(
    session: Session,
    outcome: Outcome,
    operation: Operation,
    browser: Browser,
    ttl: float,
    renews_life: bool,
    now: float,
) -> Plan:
    state = state_of(session)
    contents = data.contents_of(session, state)
    contents.cookie = dict(data.cookie_of(state))
    sid = data.sid_of(state)
    contents.system = state.backing.fields.sealed(state.system, sid)
    if renews_life:
        refresh(contents.cookie, now)
    rotates = operation is Operation.ROTATE
    before = state.before
    return Plan(
        outcome,
        operation,
        _if_it_ends(browser, contents.cookie),
        sid=sid,
        old_sid=state.loaded,
        payload=encode(contents) if before is None else encode_changed(contents, before),
        expected=state.payload or b"",
        ttl=ttl,
        cookie=contents.cookie,
        kept=state.kept if rotates else True,
        renews_life=renews_life,
        grace=state.grace if rotates else 0.0,
        renews=state.renews and rotates,
    )


def _if_it_ends(browser: Browser, cookie: dict[str, JSON]) -> Browser:
    if browser is not Browser.SEND_IF_IT_ENDS:
        return browser
    return Browser.NOTHING if cookie.get("expires") is None else Browser.SEND


def life_of(system: dict[str, JSON], cookie: dict[str, JSON], options: Options, now: float) -> float:
    """Return for how many seconds from now the record of a session with these system fields and this cookie lives."""
    life = _cookie_life(cookie, now)
    if options.lifetime is not None:
        return options.lifetime.of_record(system, life, options.ttl)
    return options.ttl if life is None else life


def _cookie_life(cookie: dict[str, JSON], now: float) -> float | None:
    """Return for how many seconds a cookie with these attributes lives, or None if it has no end."""
    if cookie.get("originalMaxAge") is None and cookie.get("expires") is None:
        return None
    milliseconds = original_max_age(cookie)
    if milliseconds is not None:
        return milliseconds / 1000
    end = parse_iso(cookie.get("expires"))
    return None if end is None else end.timestamp() - now
