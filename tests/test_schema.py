"""Typed sessions: what is stored, what fits, and what becomes of what does not."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import flask
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Field, model_validator

import sessile.flask
from sessile import InvalidOption, RequestFacts, Session, Sessions, UnserialisableValue
from sessile._records.record import encode
from sessile._session.data import contents_of, settle
from sessile._session.watched import state_of
from sessile.errors import SessionEnded
from sessile.events import Event
from sessile.schema import typed
from tests.conftest import SECRET, Clock


class Item(msgspec.Struct):
    name: str
    count: int = 1


class StructCart(msgspec.Struct):
    items: list[Item] = []
    coupon: str | None = None
    seen: datetime | None = None
    total: int = 0


@dataclasses.dataclass
class DataItem:
    name: str
    count: int = 1


@dataclasses.dataclass
class DataCart:
    items: list[DataItem] = dataclasses.field(default_factory=list)
    coupon: str | None = None
    seen: datetime | None = None
    total: int = 0


class ModelItem(BaseModel):
    name: str
    count: int = 1


class ModelCart(BaseModel):
    items: list[ModelItem] = []
    coupon: str | None = None
    seen: datetime | None = None
    total: int = 0


SCHEMAS: dict[str, tuple[Any, Any]] = {
    "struct": (StructCart, Item),
    "dataclass": (DataCart, DataItem),
    "pydantic": (ModelCart, ModelItem),
}

every_schema = pytest.mark.parametrize(("schema", "item"), SCHEMAS.values(), ids=SCHEMAS)


@pytest.fixture
def told() -> list[Event]:
    """What has happened."""
    return []


@pytest.fixture
def sessions(clock: Clock, told: list[Event]) -> Sessions:
    """Sessions in memory, that tell of what happens."""
    _SESSIONS.append(Sessions(secret=SECRET, clock=clock, on_event=told.append))
    return _SESSIONS[-1]


Stored = Callable[..., Session]

#: The sessions of the test that runs, for `again`.
_SESSIONS: list[Sessions] = []


@pytest.fixture
def stored(sessions: Sessions) -> Stored:
    """A function that stores data, and returns the session that the next request has of it."""

    def store(**data: Any) -> Session:
        session = sessions.engine.begin_sync(b"", RequestFacts)
        session["visited"] = True
        session.update(data)
        session.save()
        return again(session)

    return store


def again(session: Session) -> Session:
    """Return the session as the next request finds it."""
    found = _SESSIONS[-1].open(session.id)
    assert found is not None
    return found


@every_schema
def test_what_is_changed_in_the_object_is_stored(stored: Stored, schema: Any, item: Any) -> None:
    """At any depth; what is no field stays as it is."""
    session = stored()
    cart = typed(session, schema)
    cart.items.append(item(name="rope"))
    cart.seen = datetime(2026, 11, 21, tzinfo=UTC)
    session.save()
    session = again(session)
    assert dict(session) == {
        "visited": True,
        "items": [{"name": "rope", "count": 1}],
        "seen": "2026-11-21T00:00:00Z",
    }
    cart = typed(session, schema)
    assert (cart.items, cart.seen, cart.total) == ([item(name="rope")], datetime(2026, 11, 21, tzinfo=UTC), 0)
    cart.items[0].count += 1
    session.save()
    assert again(session)["items"] == [{"name": "rope", "count": 2}]


@every_schema
def test_a_look_is_no_change(stored: Stored, sessions: Sessions, schema: Any, item: Any) -> None:
    """Defaults are not stored, and a new session of which only defaults were read is not stored at all."""
    session = stored(total=3)
    assert typed(session, schema).total == 3
    assert not session.is_modified
    new = sessions.engine.begin_sync(b"", RequestFacts)
    assert typed(new, schema).items == []
    assert sessions.engine.commit_sync(new) == ()


@every_schema
def test_a_field_that_does_not_fit_has_its_default(stored: Stored, told: list[Event], schema: Any, item: Any) -> None:
    """The others are what is stored, an event names the field and not its value, and the value stays."""
    session = stored(items=[{"name": "rope"}], total="plenty")
    cart = typed(session, schema)
    assert (cart.items, cart.total) == ([item(name="rope")], 0)
    assert [(event.name, event.detail) for event in told if event.name == "unfit_value"] == [
        ("unfit_value", f"{schema.__name__}: total")
    ]
    cart.items.append(item(name="shackle"))
    session.save()
    assert again(session)["total"] == "plenty"
    cart.total = 2
    session.save()
    assert again(session)["total"] == 2


@every_schema
def test_reset_gives_every_field_its_default(stored: Stored, schema: Any, item: Any) -> None:
    """If one does not fit."""
    cart = typed(stored(coupon="spring", total="plenty"), schema, unfit="reset")
    assert (cart.coupon, cart.total) == (None, 0)


@every_schema
def test_a_function_takes_over_what_an_older_release_stored(stored: Stored, schema: Any, item: Any) -> None:
    """It gets the stored data of the fields; what it returns and does not fit has its default still."""
    cart = typed(
        stored(items=["rope", "shackle"], coupon=["spring"]),
        schema,
        unfit=lambda data: {**data, "items": [{"name": name} for name in data["items"]]},
    )
    assert (cart.items, cart.coupon) == ([item(name="rope"), item(name="shackle")], None)


def test_a_function_may_refuse_the_request(stored: Stored) -> None:
    """With an error that its framework makes a page of."""

    def refuse(data: Any) -> Any:
        raise LookupError("a 409, say")

    with pytest.raises(LookupError):
        typed(stored(total="plenty"), StructCart, unfit=refuse)


@every_schema
def test_a_value_that_does_not_fit_is_not_stored(stored: Stored, schema: Any, item: Any) -> None:
    """The commit names it, and nothing is written: what we store we can read."""
    session = stored(total=1)
    typed(session, schema).total = "plenty"
    with pytest.raises(UnserialisableValue, match=r"session\['total'\] does not fit \w+Cart"):
        session.save()
    assert again(session)["total"] == 1


@every_schema
def test_requests_that_change_different_fields_both_win(stored: Stored, schema: Any, item: Any) -> None:
    """A field that was left alone overwrites nothing; the object shows what others have stored."""
    first = stored(total=1)
    second = again(first)
    mine, theirs = typed(first, schema), typed(second, schema)
    mine.total, theirs.coupon = 2, "spring"
    second.save()
    first.save()
    assert (again(first)["total"], again(first)["coupon"]) == (2, "spring")
    assert mine.coupon == "spring"


@every_schema
def test_the_object_follows_the_session(stored: Stored, sessions: Sessions, schema: Any, item: Any) -> None:
    """In reload, regenerate, transactions, at logout; it is the same object all the time."""
    session = stored(total=1)
    cart = typed(session, schema)
    assert typed(session, schema) is cart
    other = again(session)
    other["total"] = 5
    other.save()
    cart.coupon = "lost"
    session.reload()
    assert (cart.total, cart.coupon) == (5, None)
    cart.coupon = "kept"
    with session.transaction() as stored_now:
        stored_now["total"] = 6
    assert (cart.total, cart.coupon) == (5, "kept")  # Written to directly, the session is ahead until it is loaded.
    session.incr("total")
    assert (again(session)["total"], cart.total) == (7, 7)
    with pytest.raises(LookupError), session.transaction():
        cart.coupon = "undone"
        raise LookupError
    assert cart.coupon == "kept"
    session.regenerate(keep=["coupon"])
    assert (cart.total, cart.coupon) == (0, "kept")
    session.logout()
    assert cart.coupon is None
    cart.coupon = "too late"
    sessions.engine.commit_sync(session)
    assert dict(session) == {}


def test_login_keeps_what_the_object_says(stored: Stored) -> None:
    """The new id comes with the data."""
    session = stored()
    typed(session, StructCart).total = 4
    session.login("zoe")
    session.save()
    assert (again(session)["total"], again(session).user_id) == (4, "zoe")


def test_a_request_that_only_looks_refuses_a_change(stored: Stored) -> None:
    """read_only holds for the object too, when the session is committed."""
    session = stored()
    session.read_only = True
    typed(session, StructCart).total = 4
    with pytest.raises(SessionEnded, match="read_only"):
        session.save()


def test_keys_are_named_as_the_schema_says(stored: Stored) -> None:
    """rename= of a Struct, an alias of a model: to share them with a program in Node."""

    class Struct(msgspec.Struct, rename="camel"):
        last_seen: int = 0

    class Model(BaseModel):
        model_config = ConfigDict(populate_by_name=True)
        last_seen: int = Field(0, alias="lastSeen")

    for schema in (Struct, Model):
        session = stored(lastSeen=1, last_seen="somebody else's")
        view: Any = typed(session, schema)
        assert view.last_seen == 1
        view.last_seen = 2
        session.save()
        assert (again(session)["lastSeen"], again(session)["last_seen"]) == (2, "somebody else's")


def test_a_struct_that_omits_defaults_stores_none(stored: Stored) -> None:
    """The key goes when the field has its default again."""

    class Struct(msgspec.Struct, omit_defaults=True):
        total: int = 0

    session = stored(total=3)
    typed(session, Struct).total = 0
    session.save()
    assert "total" not in again(session)


def test_strict_schemas_do_not_mind_other_keys(stored: Stored) -> None:
    """Flashed messages and the keys of others are not theirs to forbid."""

    class Struct(msgspec.Struct, forbid_unknown_fields=True):
        total: int = 0

    class Model(BaseModel):
        model_config = ConfigDict(extra="forbid")
        total: int = 0

    session = stored(total=3, flash={"info": ["hello"]})
    assert (typed(session, Struct).total, typed(session, Model).total) == (3, 3)


def test_values_that_json_has_no_word_for(stored: Stored) -> None:
    """What the schema says is what comes back."""

    class Struct(msgspec.Struct, frozen=True):
        ids: set[UUID] = set()
        tags: dict[str, tuple[int, ...]] = {}
        raw: bytes = b""

    session = stored()
    typed(session, Struct).ids.add(UUID(int=7))  # Frozen on the outside only.
    typed(session, Struct).tags["a"] = (1, 2)
    session.save()
    session = again(session)
    view = typed(session, Struct)
    assert view == Struct({UUID(int=7)}, {"a": (1, 2)}, b"")
    session.regenerate()
    assert view == Struct()


def test_fields_that_do_not_fit_together(stored: Stored) -> None:
    """A check of the whole model is a check like any other: it never ends a request, and refuses a commit."""

    class Span(BaseModel):
        start: int = 0
        end: int = 10

        @model_validator(mode="after")
        def ordered(self) -> Span:
            if self.start > self.end:
                raise ValueError("backwards")
            return self

    session = stored(start=5, end=3)
    span = typed(session, Span)
    assert (span.start, span.end) == (0, 10)
    span.start = 11
    with pytest.raises(UnserialisableValue, match="does not fit Span"):
        session.save()


def test_a_check_that_raises_what_it_likes(stored: Stored) -> None:
    """Is a value that does not fit."""

    @dataclasses.dataclass
    class Odd:
        total: int = 0

        def __post_init__(self) -> None:
            if self.total == 13:
                raise KeyError("unlucky")

    assert typed(stored(total=13), Odd).total == 0


@pytest.mark.parametrize(
    ("schema", "problem"),
    [
        (dict, "dict is no msgspec Struct, no dataclass and no pydantic model"),
        (list[int], "list is no class"),
        (Item, "cannot be made of an empty session"),
        (DataItem, "cannot be made of an empty session"),
        (ModelItem, "cannot be made of an empty session"),
        (msgspec.defstruct("Row", [("a", int, 0)], array_like=True), "it is array_like"),
    ],
)
def test_a_schema_that_cannot_be_used_is_refused(stored: Stored, schema: Any, problem: str) -> None:
    """With the remedy: a default for each field, because a new session is empty."""
    with pytest.raises(InvalidOption, match=f"schema: .*{problem}. Give a class with a default for each field"):
        typed(stored(), schema)


def test_a_policy_that_there_is_not_is_refused(stored: Stored) -> None:
    with pytest.raises(InvalidOption, match="unfit: 'ignore' is no policy"):
        typed(stored(), StructCart, unfit="ignore")  # type: ignore[arg-type]


def test_in_flask_it_is_the_session_that_the_proxy_stands_for(sessions: Sessions) -> None:
    """Any framework's session can be typed; where it is lazy, it is loaded."""
    app = flask.Flask(__name__)
    sessile.flask.init_app(app, sessions)

    @app.get("/")
    def handle() -> str:
        cart = typed(sessile.flask.session, StructCart)
        cart.total += 1
        return str(cart.total)

    browser = app.test_client()
    assert [browser.get("/").text, browser.get("/").text] == ["1", "2"]


json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@pytest.mark.parametrize("unfit", ["default", "reset"])
@every_schema
@given(data=st.fixed_dictionaries({}, optional=dict.fromkeys(("items", "coupon", "seen", "total"), json)))
def test_nothing_that_is_stored_ends_a_request(schema: Any, item: Any, unfit: Any, data: Any) -> None:
    """Whatever an older release, another program or an accident has left there."""
    session = Sessions(secret=SECRET).engine.begin_sync(b"", RequestFacts)
    session.update(data)
    cart = typed(session, schema, unfit=unfit)
    assert isinstance(cart, schema)
    before = dict(session)
    settle(session)
    assert dict(session) == before
    encode(contents_of(session, state_of(session)))
