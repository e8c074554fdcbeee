"""The session: a dict in every way that applications rely on, which notices what is done with it."""

from __future__ import annotations

import asyncio
import copy
import json
import pickle
from collections.abc import Callable, Mapping, MutableMapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sessile import (
    CookieOptions,
    InvalidOption,
    RequestFacts,
    Session,
    SessionError,
    SessionGone,
    Sessions,
    UnserialisableValue,
)
from sessile._wire.signing import Signer
from sessile.errors import SessionEnded
from tests.conftest import SECRET, Clock, Visitor

NOW = 1_700_000_000.0


def fill(session: Session) -> None:
    """Put in what the tests here look at."""
    session.update(user="bob", views=1, cart={"items": [{"sku": 1}]})


FILLED = {"user": "bob", "views": 1, "cart": {"items": [{"sku": 1}]}}


@pytest.fixture
def known(visitor: Visitor) -> Visitor:
    """A visitor who has a session with something in it."""
    visitor.visit(fill)
    return visitor


def stored(visitor: Visitor) -> Any:
    """Return what the store has for the one session that there is, as JSON."""
    ((_, record),) = visitor.sessions.store.all()
    return json.loads(record.payload)


# A dict ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("use", "result"),
    [
        (lambda s: json.loads(json.dumps(s)), FILLED),
        (lambda s: isinstance(s, dict) and isinstance(s, Mapping) and isinstance(s, MutableMapping), True),
        (lambda s: (s == FILLED, FILLED == s, s != FILLED), (True, True, False)),  # noqa: SIM300
        (lambda s: s != {} and s == s and s is not None, True),
        (lambda s: s | {"new": 1}, {**FILLED, "new": 1}),
        (lambda s: {"user": "al", "new": 1} | s, {"new": 1, **FILLED}),
        (lambda s: (s | {}).__class__ is dict and ({} | s).__class__ is dict, True),
        (lambda s: s.copy(), FILLED),
        (lambda s: copy.copy(s), FILLED),
        (lambda s: copy.deepcopy(s), FILLED),
        (lambda s: pickle.loads(pickle.dumps(s)), FILLED),
        (lambda s: [type(c(s)) for c in (dict.copy, copy.copy, copy.deepcopy, Session.copy)], [dict] * 4),
        (lambda s: copy.deepcopy(s)["cart"] is not s["cart"] and s.copy()["cart"] is s["cart"], True),
        (lambda s: dict(s), FILLED),
        (lambda s: {**s}, FILLED),
        (lambda s: (lambda **keywords: keywords)(**s), FILLED),
        (lambda s: list(s), ["user", "views", "cart"]),
        (lambda s: list(reversed(s)), ["cart", "views", "user"]),
        (lambda s: (len(s), bool(s), "user" in s, "nobody" in s), (3, True, True, False)),
        (lambda s: (s.get("nobody"), s.get("nobody", 5), s["views"]), (None, 5, 1)),
        (lambda s: sorted(s.keys() & {"user", "nobody"}), ["user"]),
        (lambda s: "{user}{views}".format_map(s), "bob1"),
        (lambda s: s.popitem(), ("cart", {"items": [{"sku": 1}]})),
        (lambda s: (s.pop("views"), s.pop("views", 5)), (1, 5)),
        (lambda s: (s.setdefault("views", 9), s.setdefault("new", []), s["new"]), (1, [], [])),
    ],
)
def test_a_session_is_a_dict(use: Callable[[Session], Any], result: Any, known: Visitor) -> None:
    """What works with a dict works with a session, and copies of it are plain dicts."""
    outcome = known.visit(use).result
    assert outcome == result
    assert type(outcome) is not Session


def test_missing_keys_raise_as_in_a_dict(known: Visitor) -> None:
    """A key that is not there raises KeyError, in reading and in removing."""
    for work in (lambda s: s["nobody"], lambda s: s.pop("nobody"), lambda s: s.__delitem__("nobody")):
        with pytest.raises(KeyError):
            known.visit(work)


def test_a_pattern_matches_a_session(known: Visitor) -> None:
    """``match`` takes a session for the mapping that it is."""

    def work(session: Session) -> Any:
        match session:
            case {"user": user, "cart": {"items": [first, *_]}}:
                return user, first
        return None

    assert known.visit(work).result == ("bob", {"sku": 1})


def test_a_session_is_no_key() -> None:
    """A session can change, so it cannot be hashed, like any dict."""
    with pytest.raises(TypeError, match="unhashable"):
        hash(Sessions(secret=SECRET).engine.begin_sync(b"", RequestFacts))


# Looking --------------------------------------------------------------------------------------------------------------

LOOKS: dict[str, Callable[[Session], Any]] = {
    "getitem": lambda s: s["user"],
    "get": lambda s: s.get("user"),
    "get of nothing": lambda s: s.get("nobody"),
    "in": lambda s: "user" in s,
    "not in": lambda s: "nobody" not in s,
    "len": len,
    "bool": bool,
    "iter": iter,
    "for": lambda s: [key for key in s],  # noqa: C416
    "list": list,
    "reversed": reversed,
    "keys": lambda s: s.keys(),
    "values": lambda s: s.values(),
    "items": lambda s: s.items(),
    "copy": lambda s: s.copy(),
    "copy.copy": copy.copy,
    "deepcopy": copy.deepcopy,
    "pickle": pickle.dumps,
    "dict": dict,
    "unpacking": lambda s: {**s},
    "keywords": lambda s: dict(**s),
    "==": lambda s: s == {},
    "== reflected": lambda s: {} == s,  # noqa: SIM300
    "!=": lambda s: s != {},
    "|": lambda s: s | {},
    "| reflected": lambda s: {} | s,
    "json": json.dumps,
    "json, indented": lambda s: json.dumps(s, indent=1),
    "format": "{user}".format_map,
    "%": lambda s: "%(user)s" % s,  # noqa: UP031
    "update of another": lambda s: {}.update(s),  # type: ignore[func-returns-value]
    "id": lambda s: s.id,
    "is_new": lambda s: s.is_new,
    "is_modified": lambda s: s.is_modified,
    "created_at": lambda s: s.created_at,
    "user_id": lambda s: s.user_id,
    "cookie": lambda s: s.cookie,
    "cookie attribute": lambda s: s.cookie.max_age,
    "flashes": lambda s: s.flashes(),
}

#: What asks about the object, not about the visitor.
NO_LOOKS: dict[str, Callable[[Session], Any]] = {
    "nothing": lambda s: None,
    "repr": repr,
    "str": str,
    "isinstance": lambda s: isinstance(s, Mapping),
    "is None": lambda s: s is None,
    "callable": callable,
    "hasattr": lambda s: hasattr(s, "no_such_attribute"),
}

WRITES: dict[str, Callable[[Session], Any]] = {
    "setitem": lambda s: s.__setitem__("views", 2),
    "delitem": lambda s: s.__delitem__("views"),
    "|=": lambda s: s.__ior__({"new": 1}),
    "|= pairs": lambda s: s.__ior__([("new", 1)]),
    "update": lambda s: s.update({"new": 1}),
    "update keywords": lambda s: s.update(new=1),
    "setdefault": lambda s: s.setdefault("new", 1),
    "pop": lambda s: s.pop("views"),
    "popitem": lambda s: s.popitem(),
    "clear": lambda s: s.clear(),
    "flash": lambda s: s.flash("hi"),
}

#: Ways to get at something nested, and to change it there.
NESTED: dict[str, Callable[[Session], Any]] = {
    "getitem": lambda s: s["cart"]["items"].append(2),
    "get": lambda s: s.get("cart")["items"].append(2),
    "setdefault": lambda s: s.setdefault("cart", {})["items"].append(2),
    "values": lambda s: list(s.values())[2]["items"].append(2),
    "items": lambda s: dict(s.items())["cart"]["items"].append(2),
    "copy": lambda s: s.copy()["cart"]["items"].append(2),
    "copy.copy": lambda s: copy.copy(s)["cart"]["items"].append(2),
    "dict": lambda s: dict(s)["cart"]["items"].append(2),
    "unpacking": lambda s: {**s}["cart"]["items"].append(2),
    "keywords": lambda s: (lambda cart, **_: cart)(**s)["items"].append(2),
    "|": lambda s: (s | {})["cart"]["items"].append(2),
    "| reflected": lambda s: ({} | s)["cart"]["items"].append(2),
    "update of another": lambda s: [d := {}, d.update(s), d["cart"]["items"].append(2)],  # type: ignore[func-returns-value]
    "deleting": lambda s: s["cart"].__delitem__("items"),
    "deep": lambda s: s["cart"]["items"][0].update(sku=2),
    "in place": lambda s: s["cart"]["items"].__iadd__([2]),
    "sorting": lambda s: s["cart"]["items"].insert(0, 0),
}


@pytest.mark.parametrize("look", LOOKS.values(), ids=LOOKS.keys())
def test_every_way_of_looking_counts(look: Callable[[Session], Any], known: Visitor) -> None:
    """A response that depends on the session says so to caches, however the handler looked; it writes nothing."""
    before = stored(known)
    visit = known.visit(look)
    assert visit.response.get("vary") == "Cookie"
    assert visit.set_cookie is None
    assert stored(known) == before


@pytest.mark.parametrize("look", NO_LOOKS.values(), ids=NO_LOOKS.keys())
def test_not_looking_costs_nothing(look: Callable[[Session], Any], known: Visitor) -> None:
    """A response that does not depend on the session stays cacheable for everybody."""
    visit = known.visit(look)
    assert visit.response.get("vary") is None
    assert visit.response.headers == []


# Where the key is missing these raise; and json's encoder in C, which from Python 3.13 on indents too, writes an empty
# dict without asking it.
@pytest.mark.parametrize("name", sorted(LOOKS.keys() - {"getitem", "%", "format", "json", "json, indented"}))
def test_looking_at_an_empty_session_counts_and_starts_none(name: str, visitor: Visitor) -> None:
    """A stranger's session can be looked at in every way, and none is stored for it."""
    visit = visitor.visit(LOOKS[name])
    assert visit.response.get("vary") == "Cookie"
    assert visit.set_cookie is None
    assert visitor.sessions.count() == 0


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES.keys())
def test_every_way_of_writing_is_stored(write: Callable[[Session], Any], known: Visitor) -> None:
    """Whatever way a key is written, the next request finds it so."""
    expected = copy.deepcopy(FILLED)

    def work(session: Session) -> Any:
        write(session)
        assert session.is_modified
        return session.copy()

    visit = known.visit(work)
    assert visit.result != expected
    assert visit.response.get("vary") == "Cookie"
    assert known.visit(dict).result == visit.result


@pytest.mark.parametrize("change", NESTED.values(), ids=NESTED.keys())
def test_every_nested_change_is_stored(change: Callable[[Session], Any], known: Visitor) -> None:
    """Whatever way something nested was reached, changing it is a change, and no flag is needed."""

    def work(session: Session) -> Any:
        change(session)
        return session

    visit = known.visit(work)
    after = known.visit(copy.deepcopy).result
    assert after != FILLED
    assert after == visit.result


def test_a_nested_change_after_a_save_is_stored(known: Visitor) -> None:
    """A value that a handler still holds may be changed after ``save()``, and is stored when the response begins."""

    async def work(session: Session) -> None:
        items = session["cart"]["items"]
        assert await session.asave()
        items.append("late")

    known.visit(work)
    assert known.visit(dict).result["cart"]["items"] == [{"sku": 1}, "late"]


def test_writing_what_was_there_is_no_change(known: Visitor) -> None:
    """A write that leaves the session as it was is none: nothing is written."""

    def work(session: Session) -> bool:
        session["views"] = session["views"] + 1 - 1
        session["cart"] = copy.deepcopy(session["cart"])
        session["new"] = 1
        del session["new"]
        session["views"] = 1.0
        return session.is_modified

    assert known.visit(work).result is False


def test_what_no_record_can_hold_is_refused_with_its_place(known: Visitor) -> None:
    """A value that cannot be stored is an error that names its place; the stored session is as it was."""

    def work(session: Session) -> None:
        session["views"] = 2
        session["cart"]["items"].append(datetime(2024, 1, 1, tzinfo=UTC))

    with pytest.raises(UnserialisableValue, match=r"session\['cart'\]\['items'\]\[1\] is a datetime"):
        known.visit(work)
    assert known.visit(dict).result == FILLED


@pytest.mark.parametrize("key", ["cookie", "sessile"])
def test_reserved_keys_are_refused(key: str, known: Visitor) -> None:
    """The two keys that the record needs itself are refused by name."""
    with pytest.raises(UnserialisableValue, match=rf"session\['{key}'\] is a reserved key"):
        known.visit(lambda session: session.update({key: 1}))
    assert known.visit(dict).result == FILLED


# What it says of itself -----------------------------------------------------------------------------------------------


def test_the_repr_shows_no_data(known: Visitor) -> None:
    """A session that ends in a log shows what it is, and nothing of what is in it."""
    for text in (repr(known.visit(lambda s: s).session), known.visit(str).result, known.visit(lambda s: f"{s}").result):
        assert text == "<Session loaded, 3 keys>"
    assert repr(Sessions(secret=SECRET).engine.begin_sync(b"", RequestFacts)) == "<Session new, 0 keys>"


def test_the_id_is_stable_and_safe_in_a_url(visitor: Visitor) -> None:
    """The id is 24 random bytes as base64url: known from the first look, kept until it is renewed."""
    first = visitor.visit(lambda session: (session.id, session.update(a=1), session.id)).result
    assert first[0] == first[2] == visitor.visit(lambda session: session.id).result
    assert len(first[0]) == 32
    assert set(first[0]) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")
    assert Visitor(visitor.sessions).visit(lambda session: session.id).result != first[0]


def test_it_knows_whether_it_is_new(visitor: Visitor) -> None:
    """A session is new until it is stored, and again when its id was renewed."""
    assert visitor.visit(lambda s: (s.is_new, s.update(a=1), s.is_new)).result == (True, None, True)
    assert visitor.visit(lambda s: (s.is_new, s.regenerate(), s.is_new)).result == (False, None, True)
    assert visitor.visit(lambda s: s.is_new).result is False


def test_it_knows_whether_it_was_modified(known: Visitor) -> None:
    """``is_modified`` tells whether the data, the cookie or the id is not what was loaded."""
    assert known.visit(lambda s: s.is_modified).result is False
    assert known.visit(lambda s: (s["cart"]["items"].append(1), s.is_modified)[1]).result is True
    assert known.visit(lambda s: (s.regenerate(True), s.is_modified)[1]).result is True
    assert known.visit(lambda s: (setattr(s.cookie, "priority", "high"), s.is_modified)[1]).result is True
    assert known.visit(lambda s: (s.destroy(), s.is_modified)[1]).result is True


# Intents --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("keep", "kept"),
    [
        ((), {}),
        (False, {}),
        ([], {}),
        (True, FILLED),
        (["user"], {"user": "bob"}),
        (("user", "nobody"), {"user": "bob"}),
        ({"user", "views"}, {"user": "bob", "views": 1}),
        ((key for key in ["cart"]), {"cart": {"items": [{"sku": 1}]}}),
    ],
)
def test_a_new_id_keeps_what_it_is_told_to(keep: Any, kept: dict[str, Any], known: Visitor) -> None:
    """``regenerate`` gives a new id, with nothing, with everything, or with the named keys; the old id is dead."""
    old_jar = dict(known.jar)
    visit = known.visit(lambda s: (s.id, s.regenerate(keep), s.copy(), s.id))
    old, _, at_once, new = visit.result
    assert at_once == kept
    assert old != new
    assert visit.set_cookie is not None
    assert known.visit(lambda s: (s.id, s.copy())).result == (new, kept)

    thief = Visitor(known.sessions)
    thief.jar = old_jar
    assert thief.visit(lambda s: (s.copy(), s.id == old)).result == ({}, False)
    assert known.sessions.count() == 1


def test_keep_is_no_single_key(known: Visitor) -> None:
    """``keep="user"`` would be four letters: it is refused, and nothing has changed."""
    with pytest.raises(TypeError, match=r"give a list of keys, or True"):
        known.visit(lambda s: s.regenerate("user"))
    assert known.visit(dict).result == FILLED


def test_what_is_put_in_after_a_new_id_is_stored_under_it(known: Visitor) -> None:
    """A regenerated session goes on like any other."""
    known.visit(lambda s: (s.regenerate(["user"]), s.update(a=1), s["a"]))
    assert known.visit(dict).result == {"user": "bob", "a": 1}


def test_a_stranger_can_get_a_new_id(visitor: Visitor) -> None:
    """A new session that is regenerated is stored, once, and known afterwards."""
    assert visitor.visit(lambda s: (s.update(a=1), s.regenerate(True))).set_cookie
    assert visitor.visit(dict).result == {"a": 1}
    assert visitor.sessions.count() == 1


def test_destroying_ends_the_session(known: Visitor) -> None:
    """``destroy`` empties the session at once, and ends record and cookie with the response."""
    visit = known.visit(lambda s: (s.destroy(), s.copy(), len(s), s.get("user")))
    assert visit.result == (None, {}, 0, None)
    assert "Max-Age=0" in str(visit.set_cookie)
    assert known.jar == {}
    assert known.sessions.count() == 0


@pytest.mark.parametrize(
    "write",
    [*WRITES.values(), lambda s: s.touch(), lambda s: s.save(), lambda s: s.transaction().__aenter__()],
    ids=[*WRITES.keys(), "touch", "save", "transaction"],
)
@pytest.mark.parametrize("end", [lambda s: s.destroy(), lambda s: s.logout()], ids=["destroy", "logout"])
def test_a_destroyed_session_takes_nothing(
    write: Callable[[Session], Any], end: Callable[[Session], None], known: Visitor
) -> None:
    """Every way of writing to a destroyed session is refused, with what to call first."""

    async def written(session: Session) -> None:
        await (write(session) or asyncio.sleep(0))

    async def work(session: Session) -> None:
        end(session)
        with pytest.raises(SessionEnded, match=r"Call regenerate\(\) first"):
            await written(session)

    visit = known.visit(work)
    assert "Max-Age=0" in str(visit.set_cookie)
    assert known.sessions.count() == 0


def test_a_destroyed_session_can_begin_anew(known: Visitor) -> None:
    """``regenerate`` after ``destroy`` begins a session with nothing of the old one in it."""
    visit = known.visit(lambda s: (s.destroy(), s.regenerate(True), s.update(a=1), s.copy()))
    assert visit.result[3] == {"a": 1}
    assert known.visit(dict).result == {"a": 1}
    assert known.sessions.count() == 1


def test_destroying_twice_is_destroying(known: Visitor) -> None:
    """A second ``destroy`` does nothing more."""
    assert "Max-Age=0" in str(known.visit(lambda s: (s.destroy(), s.destroy())).set_cookie)


def test_destroying_a_strangers_session_does_nothing(visitor: Visitor) -> None:
    """A session that was never stored is destroyed without a cookie and without a call to the store."""
    assert visitor.visit(lambda s: (s.update(a=1), s.destroy())).set_cookie is None
    assert visitor.sessions.count() == 0


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES.keys())
def test_after_the_response_nothing_is_taken(write: Callable[[Session], Any], known: Visitor) -> None:
    """A change that comes after the response would be lost, so it raises, with what to do."""
    session = known.visit(lambda s: s).session
    with pytest.raises(SessionEnded, match="Change the session before you respond"):
        write(session)
    assert known.visit(dict).result == FILLED


@pytest.mark.parametrize(
    "late",
    [
        lambda s: s.destroy(),
        lambda s: s.logout(),
        lambda s: s.regenerate(),
        lambda s: s.login("al"),
        lambda s: s.touch(),
        lambda s: s.save(),
        lambda s: setattr(s.cookie, "max_age", 60),
    ],
    ids=["destroy", "logout", "regenerate", "login", "touch", "save", "cookie"],
)
def test_after_the_response_no_intent_is_taken(late: Callable[[Session], Any], known: Visitor) -> None:
    """An intent that nothing would carry out raises: above all a log-out, which must not seem to have happened."""
    session = known.visit(lambda s: s).session
    with pytest.raises(SessionEnded, match="Change the session before you respond"):
        late(session)
    assert known.visit(dict).result == FILLED


def test_after_the_response_no_message_is_taken(visitor: Visitor) -> None:
    """A message flashed too late raises as well, also where earlier ones still wait."""
    visitor.visit(lambda s: s.flash("first"))
    session = visitor.visit(lambda s: s).session
    with pytest.raises(SessionEnded):
        session.flash("late")
    assert visitor.visit(lambda s: s.flashes()).result == {"info": ["first"]}


def test_a_handler_that_raises_changes_nothing(known: Visitor) -> None:
    """Intents and changes of a request that fails before its response are not carried out."""

    def work(session: Session) -> None:
        session["views"] = 2
        session.destroy()
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        known.visit(work)
    assert known.visit(dict).result == FILLED


def test_touching_renews(new_visitor: Callable[..., Visitor], clock: Clock) -> None:
    """``touch`` sends the cookie again, and both live for their whole life from now."""
    visitor = new_visitor(cookie=CookieOptions(max_age=100))
    visitor.visit(fill)
    clock.advance(60)
    assert "Max-Age=100" in str(visitor.visit(lambda s: s.touch()).set_cookie)
    clock.advance(60)
    assert visitor.visit(dict).result == FILLED


# Logging in -----------------------------------------------------------------------------------------------------------


def test_logging_in_changes_the_id_and_is_remembered(known: Visitor, clock: Clock) -> None:
    """``login`` gives a new id, keeps what the stranger had, and notes who and when outside the handler's data."""
    before = known.visit(lambda s: (s.id, s.user_id, s.created_at)).result
    assert before[1:] == (None, None)
    assert known.visit(lambda s: (s.login("al"), s.user_id)).result == (None, "al")
    clock.advance(50)
    after = known.visit(lambda s: (s.id, s.user_id, s.created_at, s.copy())).result
    assert after[0] != before[0]
    assert after[1:] == ("al", NOW, FILLED)
    system = stored(known)["sessile"]
    told = {name: system[name] for name in ("created", "user", "auth_time")}
    assert told == {"created": NOW, "user": "al", "auth_time": NOW}
    assert sorted(system.keys() - told.keys()) == ["entered", "mac", "name", "v"]


def test_the_data_of_another_user_never_lives_on(known: Visitor) -> None:
    """Logging in as somebody else begins with nothing, whatever ``keep`` says; as the same one, it goes on."""
    known.visit(lambda s: s.login("al"))
    known.visit(lambda s: s.login("al"))
    assert known.visit(dict).result == FILLED
    known.visit(lambda s: s.login("bo", keep=True))
    assert known.visit(lambda s: (s.user_id, s.copy())).result == ("bo", {})


def test_what_lives_on_can_be_chosen(known: Visitor) -> None:
    """``keep`` names what is kept of the stranger's session."""
    known.visit(lambda s: s.login(7, keep=["cart"]))
    assert known.visit(lambda s: (s.user_id, list(s))).result == (7, ["cart"])


@pytest.mark.parametrize("user_id", [None, True, "", 1.5, b"al", ["al"], object()])
def test_a_user_is_text_or_a_number(user_id: Any, known: Visitor) -> None:
    """Any other id of a user is refused, and nothing has changed: no object is stored by accident."""
    with pytest.raises(TypeError, match="takes the user's id as text or an int"):
        known.visit(lambda s: s.login(user_id))
    assert known.visit(lambda s: (s.user_id, s.copy())).result == (None, FILLED)


def test_logging_out_ends_the_session(known: Visitor) -> None:
    """After ``logout`` nobody is logged in, and the old cookie is worth nothing."""
    known.visit(lambda s: s.login("al"))
    jar = dict(known.jar)
    assert known.visit(lambda s: (s.logout(), s.user_id)).result == (None, None)
    known.jar = jar
    assert known.visit(lambda s: (s.user_id, s.copy())).result == (None, {})


def test_a_new_id_without_login_forgets_the_user_unless_all_is_kept(known: Visitor) -> None:
    """``regenerate`` keeps who is logged in only with everything else: a session that begins anew is nobody's."""
    known.visit(lambda s: s.login("al"))
    known.visit(lambda s: s.regenerate(True))
    assert known.visit(lambda s: s.user_id).result == "al"
    known.visit(lambda s: s.regenerate(["cart"]))
    assert known.visit(lambda s: s.user_id).result is None


def test_our_own_fields_are_not_the_handlers(known: Visitor) -> None:
    """What the library notes is in no view of the data, and goes with the log-in."""
    known.visit(lambda s: s.login("al"))
    assert "sessile" not in known.visit(dict).result
    known.visit(lambda s: s.clear())
    assert known.visit(lambda s: (s.user_id, s.copy())).result == (None, {})


# Messages -------------------------------------------------------------------------------------------------------------


def test_a_message_is_shown_once_on_the_next_page(visitor: Visitor) -> None:
    """Flashed messages wait, by category and in their order, until a page takes them."""
    visitor.visit(lambda s: (s.flash("saved"), s.flash("no disk", "error"), s.flash("again")))
    visitor.visit()
    assert visitor.visit(lambda s: s.flashes()).result == {"info": ["saved", "again"], "error": ["no disk"]}
    assert visitor.visit(lambda s: (s.flashes(), s.copy())).result == ({}, {})


def test_one_category_can_be_taken(visitor: Visitor) -> None:
    """A page that takes one category leaves the others for the next."""
    visitor.visit(lambda s: (s.flash("a"), s.flash("b", "error")))
    assert visitor.visit(lambda s: s.flashes("error")).result == {"error": ["b"]}
    assert visitor.visit(lambda s: s.flashes("error")).result == {}
    assert visitor.visit(lambda s: s.flashes()).result == {"info": ["a"]}


def test_a_message_that_is_markup_comes_back_as_markup(visitor: Visitor) -> None:
    """Whatever has ``__html__`` is taken, and no template escapes it afterwards."""

    class Lazy:
        def __html__(self) -> str:
            return "<b>saved</b>"

    visitor.visit(lambda session: session.flash(Lazy()))
    (message,) = visitor.visit(lambda session: session.flashes()).result["info"]
    assert (message, message.__html__()) == ("<b>saved</b>", "<b>saved</b>")


def test_messages_are_where_connect_flash_keeps_them(visitor: Visitor) -> None:
    """A Node process that shares the store finds the messages, and we find its."""
    visitor.visit(lambda s: s.flash("hi"))
    assert stored(visitor)["flash"] == {"info": ["hi"]}


# The cookie -----------------------------------------------------------------------------------------------------------

ATTRIBUTES: list[tuple[str, Any, Any, str, Any, str]] = [
    # attribute, what is set, what is read, the key in the record, what stands there, what the browser gets
    ("max_age", 60, 60.0, "originalMaxAge", 60000, "Max-Age=60;"),
    ("max_age", timedelta(minutes=1), 60.0, "originalMaxAge", 60000, "Expires=Tue, 14 Nov 2023 22:14:20 GMT"),
    ("max_age", None, None, "originalMaxAge", None, "; Path=/; HttpOnly; Secure; SameSite=Lax"),
    ("expires", datetime.fromtimestamp(NOW + 90, UTC), datetime.fromtimestamp(NOW + 90, UTC), "expires", "2023-11-14T22:14:50.000Z", "Max-Age=90;"),
    ("expires", None, None, "expires", None, "; Path=/; HttpOnly; Secure; SameSite=Lax"),
    ("path", "/app", "/app", "path", "/app", "; Path=/app;"),
    ("domain", "example.com", "example.com", "domain", "example.com", "; Domain=example.com;"),
    ("http_only", False, False, "httpOnly", False, "; Path=/; Secure; SameSite=Lax"),
    ("secure", False, False, "secure", False, "; Path=/; HttpOnly; SameSite=Lax"),
    ("same_site", "strict", "strict", "sameSite", "strict", "; SameSite=Strict"),
    ("same_site", True, True, "sameSite", True, "; SameSite=Strict"),
    ("same_site", "none", "none", "sameSite", "none", "; SameSite=None"),
    ("same_site", None, None, "sameSite", None, "; Path=/; HttpOnly; Secure"),
    ("partitioned", True, True, "partitioned", True, "; Partitioned"),
    ("priority", "high", "high", "priority", "high", "; Priority=High"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "value", "read", "key", "kept", "sent"), ATTRIBUTES)
def test_an_attribute_is_kept_stored_and_sent(
    name: str, value: Any, read: Any, key: str, kept: Any, sent: str, known: Visitor
) -> None:
    """Setting an attribute of a session's cookie changes the session: it is stored in express's words, and sent."""

    def work(session: Session) -> Any:
        setattr(session.cookie, name, value)
        assert session.is_modified
        return getattr(session.cookie, name)

    visit = known.visit(work)
    assert visit.result == read
    assert stored(known)["cookie"][key] == kept
    assert (str(visit.set_cookie) + ";").endswith(sent + ";") or sent in str(visit.set_cookie)
    assert known.visit(lambda session: getattr(session.cookie, name)).result == read


def test_an_attribute_starts_a_session(visitor: Visitor) -> None:
    """A new session whose cookie was changed is stored, as one that something was put into."""
    assert visitor.visit(lambda s: setattr(s.cookie, "max_age", 60)).set_cookie
    assert stored(visitor)["cookie"]["originalMaxAge"] == 60000


def test_a_life_of_its_own_is_counted_from_the_last_visit(known: Visitor, clock: Clock) -> None:
    """A session that was given a life of its own keeps it: it ends that long after the last visit."""
    known.visit(lambda s: setattr(s.cookie, "max_age", 100))
    clock.advance(60)
    assert known.visit(lambda s: (s.cookie.max_age, s.cookie.original_max_age)).result == (40.0, 100.0)
    known.visit(lambda s: s.update(views=2))
    clock.advance(99)
    assert known.visit(lambda s: s["views"]).result == 2
    clock.advance(101)
    assert known.visit(dict).result == {}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("max_age", "60"),
        ("max_age", float("nan")),
        ("expires", datetime(2030, 1, 1)),
        ("path", "app"),
        ("path", "/\r\nX: y"),
        ("domain", "a;b"),
        ("http_only", "yes"),
        ("same_site", "sometimes"),
        ("partitioned", 1),
        ("priority", "urgent"),
    ],
)
def test_a_wrong_attribute_is_refused_at_once(name: str, value: Any, known: Visitor) -> None:
    """An attribute that no cookie can have is refused where it is set, with its name; the session is unharmed."""

    def work(session: Session) -> None:
        with pytest.raises(InvalidOption) as caught:
            setattr(session.cookie, name, value)
        assert caught.value.option == f"cookie {name}"

    assert known.visit(work).set_cookie is None


@pytest.mark.parametrize("name", ["maxAge", "httpOnly", "sameSite", "samesite", "originalMaxAge"])
def test_a_misspelt_attribute_is_refused(name: str, known: Visitor) -> None:
    """camelCase names, and names that do not exist, raise instead of being ignored."""
    with pytest.raises(AttributeError):
        known.visit(lambda s: setattr(s.cookie, name, 1))


def test_automatic_same_site_is_settled_when_it_is_set(known: Visitor) -> None:
    """``same_site="auto"`` on a session's cookie never costs the visitor the cookie."""
    visit = known.visit(lambda s: setattr(s.cookie, "same_site", "auto"))
    assert "SameSite=" in str(visit.set_cookie)


# I/O at once ----------------------------------------------------------------------------------------------------------


def opened(known: Visitor) -> Session:
    """Return the session of ``known`` as a program outside a request has it."""
    sid = known.visit(lambda session: session.id).result
    session = known.sessions.open(sid)
    assert isinstance(session, Session)
    return session


def test_a_program_can_change_a_session(known: Visitor) -> None:
    """A program outside a request opens a session by its id, changes it and saves it."""
    session = opened(known)
    session["views"] = 5
    assert session.save() is True
    assert known.visit(lambda s: s["views"]).result == 5
    assert known.sessions.open("no such id") is None


def test_saving_what_is_gone_stores_nothing(known: Visitor) -> None:
    """``save`` says False where the session was ended meanwhile, and does not bring it back."""
    session = opened(known)
    session["views"] = 5
    assert known.sessions.revoke(session.id) is True
    assert session.save() is False
    assert known.sessions.count() == 0


def test_saving_keeps_what_others_changed(known: Visitor) -> None:
    """``save`` leaves the keys that others changed as they are, and the session shows them."""
    one, two = opened(known), opened(known)
    one["views"] = 5
    two["user"] = "al"
    assert one.save() is True
    assert two.save() is True
    assert (two["views"], two["user"]) == (5, "al")
    assert known.visit(lambda s: (s["views"], s["user"])).result == (5, "al")


def test_reloading_takes_what_is_stored(known: Visitor) -> None:
    """``reload`` gives what is stored now in the place of what was changed here; SessionGone if there is nothing."""
    one, two = opened(known), opened(known)
    two["views"] = 5
    two.save()
    one["views"] = 9
    one.reload()
    assert one == {**FILLED, "views": 5}
    known.sessions.revoke(one.id)
    with pytest.raises(SessionGone):
        one.reload()


def test_a_key_is_popped_once(known: Visitor) -> None:
    """Of all who pop a key from the store, one gets it."""
    one, two = opened(known), opened(known)
    assert one.pop_once("user") == "bob"
    assert two.pop_once("user", "nobody") == "nobody"
    assert "user" not in one
    assert "user" not in two
    assert "user" not in known.visit(dict).result


def test_a_transaction_sees_what_is_stored(known: Visitor) -> None:
    """A transaction works on what is stored now, and commits at its end; if it raises, nothing of it is kept."""
    one, two = opened(known), opened(known)
    two["views"] = 5
    two.save()
    with one.transaction() as session:
        session["views"] += 1
    assert known.visit(lambda s: s["views"]).result == 6

    def fail(session: Session) -> None:
        session["cart"]["items"].append(1)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), one.transaction() as session:
        fail(session)
    assert one["cart"] == FILLED["cart"]
    assert known.visit(lambda s: s["views"]).result == 6


def test_a_plain_with_in_a_coroutine_commits_too(known: Visitor) -> None:
    """No verb's result depends on a running event loop."""

    async def work(session: Session) -> None:
        with session.transaction() as inner:
            inner["views"] = 2

    known.visit(work)
    assert known.visit(lambda s: s["views"]).result == 2


def test_under_asyncio_they_are_awaited(known: Visitor) -> None:
    """The same four verbs, and a transaction, are awaited by a handler that runs on an event loop."""

    async def work(session: Session) -> Any:
        session["views"] = 2
        assert await session.asave() is True
        await session.areload()
        assert await session.apop_once("user") == "bob"
        async with session.transaction() as inner:
            inner["views"] += 1
        return session["views"], "user" in session

    assert known.visit(work).result == (3, False)
    assert known.visit(lambda s: s["views"]).result == 3


# Whatever stands in the store -----------------------------------------------------------------------------------------

numbers = st.integers(-(2**70), 2**70) | st.floats(allow_nan=False, allow_infinity=False)
values = st.recursive(
    st.none()
    | st.booleans()
    | numbers
    | st.text()
    | st.sampled_from(
        ["2023-11-14T22:14:20.000Z", "2033-05-18T04:33:20.123Z", "lax", "/", "9999-12-31T23:59:59-23:59"]
    ),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=2), inner, max_size=2),
    max_leaves=4,
)
cookies = st.none() | st.dictionaries(
    st.sampled_from(
        [
            "originalMaxAge",
            "expires",
            "secure",
            "httpOnly",
            "domain",
            "path",
            "sameSite",
            "partitioned",
            "priority",
            "x",
        ]
    ),
    values,
)
systems = st.dictionaries(st.sampled_from(["created", "user", "auth_time", "x"]), values) | values


def served(payload: bytes, work: Callable[[Session], Any]) -> list[int]:
    """Return the statuses of three requests of a visitor whose record says ``payload``, the first doing ``work``."""
    sessions = Sessions(secret=SECRET, clock=Clock())
    sessions.store.create("x" * 32, payload, 60.0)
    visitor = Visitor(sessions)
    visitor.jar["connect.sid"] = Signer([SECRET.encode()]).token("x" * 32)
    return [visitor.visit(each).response.status for each in (work, dict, lambda s: s.update(a=2))]


WORKS: dict[str, Callable[[Session], Any]] = {
    "look": lambda s: (s.copy(), s.id, s.is_modified, s.user_id, s.created_at, s.flashes()),
    "nothing": lambda s: None,
    "write": lambda s: s.update(a=1),
    "touch": lambda s: s.touch(),
    "regenerate": lambda s: s.regenerate(True),
    "login": lambda s: s.login("al"),
    "destroy": lambda s: s.destroy(),
    "cookie": lambda s: [getattr(s.cookie, name) for name, *_ in ATTRIBUTES] + [s.cookie.original_max_age],
    "cookie set": lambda s: setattr(s.cookie, "priority", "low"),
    "flash": lambda s: s.flash("hi"),
}


@pytest.mark.parametrize("work", WORKS.values(), ids=WORKS.keys())
@given(cookie=cookies, system=systems, flash=values)
@example(cookie={"originalMaxAge": 10**400}, system={}, flash=None)
@example(cookie={"originalMaxAge": -(10**30), "expires": None}, system={}, flash={})
@example(cookie={"originalMaxAge": 1e308, "expires": 5}, system={}, flash={"info": "text"})
@example(cookie={"originalMaxAge": None, "expires": "0001-01-01T00:00:00+23:59"}, system={}, flash=[])
@example(cookie={"domain": "a;b", "path": "x\r\n", "sameSite": "x", "priority": "y"}, system=5, flash=None)
def test_any_stored_attributes_are_served(work: Callable[[Session], Any], cookie: Any, system: Any, flash: Any) -> None:
    """Whatever another program stored in the place of the cookie and of our own fields, no request fails for it."""
    record = {"a": 1, "flash": flash, "sessile": system} | ({} if cookie is None else {"cookie": cookie})
    assert served(json.dumps(record).encode(), work) == [200, 200, 200]


@pytest.mark.parametrize("work", WORKS.values(), ids=WORKS.keys())
@pytest.mark.parametrize(
    "payload",
    [
        b'{"cookie":{"originalMaxAge":1e999,"expires":null},"a":1}',
        b'{"cookie":{"originalMaxAge":-1e999},"a":1}',
        b'{"cookie":{"originalMaxAge":1e999,"lone":"\\ud800"},"sessile":{"user":"\\ud800","created":1e999}}',
        b'{"a":' + b"[" * 300 + b"1.0" + b"]" * 300 + b"}",
        b'{"a": 1e999, "b": "\\ud800"}',
    ],
    ids=lambda payload: repr(payload[:48]),
)
def test_hostile_numbers_are_served(payload: bytes, work: Callable[[Session], Any]) -> None:
    """Numbers that no double holds, and text that no UTF-8 holds, are served like any other."""
    assert served(payload, work) == [200, 200, 200]


def test_sessions_are_made_by_the_manager_alone() -> None:
    """A slot of a framework that holds something else than a session is an error that says so."""
    from sessile.http import of_slot

    assert of_slot(None) is None
    with pytest.raises(SessionError, match="replaced by a dict"):
        of_slot({})


def test_asyncio_and_threads_may_meet(known: Visitor) -> None:
    """A synchronous handler in a worker thread uses the same session without await."""

    async def work(session: Session) -> Any:
        session["views"] = 7
        return await asyncio.to_thread(session.save)

    assert known.visit(work).result is True
    assert known.visit(lambda s: s["views"]).result == 7
