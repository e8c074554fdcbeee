# Each mutant is the engine with one line of its protocol left out or swapped. The line is named by its text, in the
# function that has it: where the engine changes, the mutant fails loudly, and whoever changed it says what the line is now.
"""Engines with one mistake each, which the explorer has to find."""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from sessile._engine.at_once import AtOnce
from sessile._engine.committer import Committer
from sessile._engine.ending import Ending
from sessile._engine.opening import Opening
from sessile._engine.store_calls import StoreCalls
from sessile._engine.users import Users
from sessile._engine.writes import Writes
from sessile._records.fields import SystemFields
from sessile._session import plan as plans
from tests.interleavings.scenarios import Scenario


class Mutant(NamedTuple):
    """A mistake, and the scenario that shows it."""

    name: str
    #: The class or module, and the name of the function in it.
    where: Any
    function: str
    #: The text that is there, once, and what is put in its place.
    text: str
    instead: str
    #: What is run, and what must be found.
    scenario: Scenario
    breaks: str
    #: Whether it takes a crash or a lost answer to see it.
    faults: bool = False

    def __str__(self) -> str:
        return self.name


MUTANTS = (
    Mutant(
        "a write does not say what it expects",
        plans,
        "resolve",
        "base, mine = decode(plan.expected), decode(plan.payload)",
        "base, mine = decode(current), decode(plan.payload)",
        Scenario(("write", "write")),
        "lost update",
    ),
    Mutant(
        "a write that meets another one insists",
        Writes,
        "_join",
        'mode = "merge" if joined.harmless else self._options.conflict',
        'mode = "overwrite"',
        Scenario(("write", "flash")),
        "lost update",
    ),
    Mutant(
        "what others wrote is not taken along to a new id",
        Writes,
        "_rotate",
        "if current.payload != kept:",
        "if False:",
        Scenario(("write", "rotate, keep")),
        "lost update",
    ),
    Mutant(
        "a save in the middle forgets what comes after it",
        Committer,
        "plan",
        "if plan.outcome is Outcome.SAME and state.committed:",
        "if state.committed:",
        Scenario(("save in the middle", "read")),
        "lost update",
    ),
    Mutant(
        "a write brings back what has ended",
        Writes,
        "_replace",
        'if self._options.conflict == "overwrite":',
        "if True:",
        Scenario(("write", "log-out")),
        "undone end",
    ),
    Mutant(
        "a log-out does not follow the session to its new id",
        Ending,
        "end",
        "if not stone.successor and not stone.stored:",
        "if True:",
        Scenario(("log-out", "rotate, grace")),
        "undone end",
    ),
    Mutant(
        "a new id leaves no sign for a log-out in flight",
        Writes,
        "_rotate",
        'yield from self._ending.leave_sign(store, taken.old_sid or "", stone, ttl)',
        "pass",
        Scenario(("rotate, keep", "log-out")),
        "undone end",
    ),
    Mutant(
        "a log-out deletes without a tombstone",
        Ending,
        "end",
        "answer = yield from self._calls.ask(store.replace, sid, TOMBSTONE, TOMBSTONE_TTL, payload)",
        "answer = Replaced()",
        Scenario(("log-out", "rotate, grace")),
        "undone end",
    ),
    Mutant(
        "a rotation takes no notice of a session that has ended",
        Writes,
        "_rotate",
        "if taken is None:",
        "if taken is None and False:",
        Scenario(("rotate, grace", "log-out")),
        "failed",
    ),
    Mutant(
        "a revocation leaves the first session alone",
        Users,
        "revoke_all",
        "ended = {one: e for one, e in page.sessions.items() if",
        "ended = {one: e for one, e in list(page.sessions.items())[1:] if",
        Scenario(("write", "revoke_user")),
        "outlived a revocation",
    ),
    Mutant(
        "a log-in does not look at the mark",
        Users,
        "_enter",
        "mark = self._admit(page.revoked, state, key, since)",
        "mark = page.revoked",
        Scenario(("log-in elsewhere", "revoke_user")),
        "outlived a revocation",
    ),
    Mutant(
        "the mark is written after the ends",
        Users,
        "revoke_all",
        "page = yield from self._mark(store, key, fresh(8), spared, askers)",
        "page = yield from self._index.read(self._index_of(store), key)\n"
        "    number = yield from self._end(store, key, page.sessions)\n"
        "    yield from self._mark(store, key, fresh(8), spared, askers)\n"
        "    return number",
        Scenario(("log-in elsewhere", "revoke_user")),
        "outlived a revocation",
    ),
    Mutant(
        "a revocation keeps nothing from beginning that was entered before it",
        Users,
        "_end",
        "buries=may_begin",
        "buries=False",
        Scenario(("log-in elsewhere", "revoke_user")),
        "outlived a revocation",
    ),
    Mutant(
        "a mark that meets a lost answer is not written",
        Users,
        "_mark",
        "if page.revoked is None or page.revoked.id != mark:",
        "return page\n        if page.revoked is None or page.revoked.id != mark:",
        Scenario(("log-in elsewhere", "revoke_user")),
        "outlived a revocation",
        faults=True,
    ),
    Mutant(
        "who spared their session may bring it back after another one has ended it",
        Writes,
        "_rotate",
        "if taken is None and state.proof is EventKind.LOGGED_IN and state.ended_itself:",
        "if taken is None and state.proof is EventKind.LOGGED_IN:",
        Scenario(("log-out", "password change")),
        "undone end",
    ),
    Mutant(
        "an end takes an index that does not answer for one that knows nothing",
        Ending,
        "_beside",
        "except StoreRefused:",
        "except StoreUnavailable:",
        Scenario(("rotate, keep", "log-out")),
        "undone end",
        faults=True,
    ),
    Mutant(
        "an end whose answer was lost deletes what it does not know",
        Ending,
        "_end_without_room",
        "if not (yield from self._replaced(store, sid, record.payload)):",
        "if False:",
        Scenario(("rotate, grace", "revoke")),
        "undone end",
        faults=True,
    ),
    Mutant(
        "a new id keeps the length of life that it has loaded",
        plans,
        "resolve",
        "cookie = _with_life(plan, base.cookie or {}, theirs.cookie)",
        "cookie = plan.cookie",
        Scenario(("rotate, keep", "cookie change")),
        "lost update",
    ),
    Mutant(
        "the tombstone beside the sessions goes by the id, which a revocation does not know",
        Ending,
        "_beside",
        "self._in_store(sid)",
        "sid",
        Scenario(("revoke_user", "password change"), "hash_ids"),
        "outlived a revocation",
    ),
    Mutant(
        "who was sent on gets a new id",
        Committer,
        "commit",
        "if state.sent_on and plan.operation is Operation.ROTATE and",
        "if False and",
        Scenario(("rotate, grace", "rotate, grace")),
        "told to a stranger",
    ),
    Mutant(
        "system fields are believed without their MAC",
        SystemFields,
        "check",
        "contents.system = UNTRUSTED",
        "pass",
        Scenario(("write", "Node forges")),
        "system field of a handler",
    ),
    Mutant(
        "a log-in is not entered in the index",
        Writes,
        "_add",
        "if state.system and self.members is not None:",
        "if False:",
        Scenario(("log-in at the limit", "write")),
        "limit exceeded",
    ),
    Mutant(
        "a log-in beyond the limit ends nobody",
        Users,
        "_enter",
        "ended.extend((yield from self._excess(store, key, others)))",
        "yield from self._excess(store, key, others)",
        Scenario(("log-in at the limit", "write")),
        "limit exceeded",
    ),
    Mutant(
        "who was sent on is told the new id",
        Committer,
        "_written",
        "if state.sent_on and done.operation in (Operation.TOUCH, Operation.REPLACE):",
        "if False:",
        Scenario(("write", "rotate, grace")),
        "told to a stranger",
    ),
    Mutant(
        "a tombstone of a rotation tells the new id",
        Opening,
        "fetch",
        "state_of(found).sent_on = True",
        "found.touch()",
        Scenario(("read", "rotate, grace")),
        "told to a stranger",
    ),
    Mutant(
        "the cookie leaves though the store has not answered",
        StoreCalls,
        "wait",
        "self.fail(error, verb)",
        "return True",
        Scenario(("first write", "read")),
        "cookie before the store",
        faults=True,
    ),
    Mutant(
        "the cookie leaves before the record is made",
        Committer,
        "at_once",
        "answer = store.create(plan.sid, plan.payload, plan.ttl)",
        "answer = True",
        Scenario(("first write", "read")),
        "cookie before the store",
    ),
    Mutant(
        "pop_once believes what was loaded",
        AtOnce,
        "rewrite",
        "if isinstance(answer, Replaced):",
        "if True:",
        Scenario(("pop_once", "pop_once")),
        "popped twice",
    ),
    Mutant(
        "incr does not look whether it was first",
        AtOnce,
        "rewrite",
        "if isinstance(answer, Replaced):",
        "if True:",
        Scenario(("incr", "incr")),
        "not counted",
    ),
    Mutant(
        "a transaction overwrites",
        Writes,
        "_join",
        "(strict and joined.collisions)",
        "False",
        Scenario(("transaction", "transaction")),
        "not counted",
    ),
    Mutant(
        "a lock is taken though somebody holds it",
        AtOnce,
        "_take_lock",
        "if lock_in(contents.system).until > now:",
        "if False:",
        Scenario(("lock", "lock")),
        "lock shared",
    ),
    Mutant(
        "two holders of a lock get one number",
        AtOnce,
        "_take_lock",
        "return lock_in(contents.system).fence\n",
        "return 1\n",
        Scenario(("lock", "lock")),
        "lock shared",
    ),
)


@contextmanager
def put_in(mutant: Mutant) -> Iterator[None]:
    """Let the engine have the mistake for a while."""
    original: Callable[..., Any] = getattr(mutant.where, mutant.function)
    source = textwrap.dedent(inspect.getsource(original))
    if source.count(mutant.text) != 1:
        raise LookupError(f"{original.__qualname__} no longer has this line once: {mutant.text!r}")
    namespace: dict[str, Any] = {}
    module = inspect.getmodule(original)
    code = compile(source.replace(mutant.text, mutant.instead), f"<mutant: {mutant.name}>", "exec", dont_inherit=False)
    exec(code, vars(module), namespace)
    setattr(mutant.where, mutant.function, namespace[mutant.function])
    try:
        yield
    finally:
        setattr(mutant.where, mutant.function, original)
