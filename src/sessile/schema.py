# A typed session is an object of the program's own schema that shows some keys of the session: those that are fields of
# the schema. Whatever else stands in the session is left alone, so several schemas, flashed messages and another
# program's keys live side by side.
#
#   1. A new session has nothing in it, so each field of a schema needs a default. A default is not stored.
#   2. What is stored was written by an older release, a newer one or another program. It is checked when it is read,
#      and what does not fit is no error of the request: `unfit` says what becomes of it.
#   3. What was changed in the object, at any depth, is written to the session before each commit, by key: a field that
#      this request left alone never overwrites what another has stored. It is checked there too, so that we store
#      nothing that we would refuse to read.
#   4. When the data of the session changes (reload, regenerate, a transaction), the object shows it.
"""Typed sessions: the data of a session as a msgspec Struct, a dataclass or a pydantic model."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable
from functools import lru_cache
from types import MethodType
from typing import Any, Generic, Literal, Protocol, TypeAlias, TypeVar, cast

import msgspec

from sessile._records.record import JSON
from sessile._session.session import Session
from sessile._session.watched import state_of
from sessile.errors import InvalidOption, UnserialisableValue
from sessile.events import EventKind

__all__ = ["Unfit", "check", "typed"]

T = TypeVar("T")

Data: TypeAlias = dict[str, JSON]

#: What becomes of stored values that do not fit the schema. A function gets the stored data and returns data that fits.
Unfit: TypeAlias = Literal["default", "reset"] | Callable[[Data], Data]


def typed(session: Session, schema: type[T], *, unfit: Unfit = "default") -> T:
    """Return ``session`` as an object of ``schema``: a msgspec Struct, a dataclass or a pydantic model.

    What is changed in the object, at any depth, is stored as if it were changed in the session. Fields are keys of the
    session; keys that are no field stay as they are. Each field needs a default, which it has while nothing is stored.
    Ask twice for one schema in a request, and it is the same object.

    ``unfit`` says what becomes of stored values that do not fit the schema. ``"default"``: a field whose value does not
    fit has its default. ``"reset"``: if one does not fit, all have their defaults. A function: it gets the stored data
    of the fields, and returns what it should be; use it to take over what an older release has stored, or to raise an
    error of your framework's. What does not fit then has its default. In each case the event ``unfit_value`` tells of
    it, and the stored value stays until the field is changed.

    Raises InvalidOption for a schema that cannot be used, and UnserialisableValue, when the session is committed, if
    the object was given a value that does not fit.

    >>> import msgspec
    >>> class Cart(msgspec.Struct):
    ...     items: list[str] = []
    >>> cart = typed(session, Cart)
    >>> cart.items.append("rope")
    """
    session.mark_accessed()
    state = state_of(session)
    for view in state.views:
        if isinstance(view, _View) and view.schema is schema:
            shown: T = view.shown
            return shown
    check(schema, unfit)
    state.expose()
    # The session itself, where a caller may have a proxy of it, as in Flask.
    itself = cast("MethodType", session.mark_accessed).__self__
    assert isinstance(itself, Session)
    made = _View(itself, schema, unfit)
    state.views += (made,)
    return made.shown


def check(schema: type[Any], unfit: Unfit) -> None:
    """Raise InvalidOption if ``typed`` would."""
    _shape(schema)  # type: ignore[arg-type]  # Classes are hashable; mypy compares `__hash__` of their instances.
    if unfit not in ("default", "reset") and not callable(unfit):
        raise InvalidOption("unfit", f"{unfit!r} is no policy", 'Use "default", "reset" or a function of the data.')


class _View(Generic[T]):
    """An object of a schema that shows a session (``state.View``)."""

    shown: T

    def __init__(self, session: Session, schema: type[T], unfit: Unfit) -> None:
        self.session = session
        self._state = state_of(session)
        self.schema = schema
        self._shape: _Shape[T] = _shape(schema)  # type: ignore[arg-type]
        self._unfit = unfit
        #: What the object says of each key, as it was when session and object said the same.
        self._settled: Data = {}
        self.refresh()

    def refresh(self) -> None:
        """Show what is in the session, in the object that the handler has."""
        shape = self._shape
        fresh = self._read({key: value for key, value in dict.items(self.session) if key in shape.keys})
        # The object gets values of its own: what is changed in it reaches the session in `write` and nowhere else.
        self._settled = shape.dump(fresh)
        if hasattr(self, "shown"):
            for name in shape.names:
                shape.assign(self.shown, name, getattr(fresh, name))
        else:
            self.shown = fresh

    def write(self) -> None:
        """Write to the session what was changed in the object."""
        shape, settled, session = self._shape, self._settled, self.session
        now = shape.dump(self.shown)
        if now == settled:
            return
        changed = [key for key, value in now.items() if key not in settled or value != settled[key]]
        if changed and not _fits(shape, now):
            unfit = next((key for key in changed if not _fits(shape, {key: now[key]})), changed[0])
            raise UnserialisableValue(f"session[{unfit!r}]", f"does not fit {self.schema.__name__}")
        for key in changed:
            session[key] = now[key]
        for key in settled.keys() - now.keys():
            session.pop(key, None)  # A Struct with omit_defaults says so that a field has its default.
        self._settled = now

    def _read(self, data: Data) -> T:
        shape = self._shape
        if _fits(shape, data):
            return shape.load(data)
        unfit = sorted(key for key, value in data.items() if not _fits(shape, {key: value}))
        names = ", ".join(unfit) or "its fields together"
        self._state.backing.report(self._state, EventKind.UNFIT, f"{self.schema.__name__}: {names}")
        if callable(self._unfit):
            data = {key: value for key, value in self._unfit(data).items() if key in shape.keys}
            unfit = [key for key, value in data.items() if not _fits(shape, {key: value})]
        elif self._unfit == "reset":
            data = {}
        data = {key: value for key, value in data.items() if key not in unfit}
        return shape.load(data if _fits(shape, data) else {})


class _Shape(Protocol[T]):
    """What is known of a schema."""

    #: The keys of its fields, and the names of its attributes.
    keys: frozenset[str]
    names: tuple[str, ...]

    def load(self, data: Data) -> T:
        """Return an object with ``data``. Raises what it wants if that does not fit."""

    def dump(self, value: T) -> Data:
        """Return the data of an object, as JSON has it."""

    def assign(self, value: T, name: str, to: object) -> None:
        """Set an attribute, of a frozen object too."""


def _fits(shape: _Shape[Any], data: Data) -> bool:
    try:
        shape.load(data)
    except Exception:
        # A schema may have checks of its own, which raise what they like. Nothing in a store may end a request.
        return False
    return True


@lru_cache
def _shape(schema: Any) -> _Shape[Any]:
    if not isinstance(schema, type):
        raise _unusable(schema, "is no class")
    shape: _Shape[Any]
    if hasattr(schema, "model_validate") and hasattr(schema, "model_fields"):
        shape = _Pydantic(schema)
    elif issubclass(schema, msgspec.Struct):
        if schema.__struct_config__.array_like:
            raise _unusable(schema, "has no keys: it is array_like")
        fields = msgspec.structs.fields(schema)
        shape = _Native(schema, (field.encode_name for field in fields), schema.__struct_fields__)
    elif dataclasses.is_dataclass(schema):
        names = tuple(field.name for field in dataclasses.fields(schema))
        shape = _Native(schema, names, names)
    else:
        raise _unusable(schema, "is no msgspec Struct, no dataclass and no pydantic model")
    try:
        shape.dump(shape.load({}))
    except Exception as error:
        raise _unusable(schema, "cannot be made of an empty session") from error
    return shape


def _unusable(schema: object, problem: str) -> InvalidOption:
    name = getattr(schema, "__name__", repr(schema))
    return InvalidOption("schema", f"{name} {problem}", "Give a class with a default for each field.")


class _Native:
    """A Struct or a dataclass, which msgspec reads and writes."""

    def __init__(self, schema: type[Any], keys: Iterable[str], names: tuple[str, ...]) -> None:
        self.keys = frozenset(keys)
        self.names = names
        self._schema = schema

    def load(self, data: Data) -> Any:
        return msgspec.convert(data, self._schema)

    def dump(self, value: Any) -> Data:
        data: Data = msgspec.to_builtins(value, str_keys=True)
        return {key: each for key, each in data.items() if key in self.keys}

    def assign(self, value: Any, name: str, to: object) -> None:
        if isinstance(value, msgspec.Struct):
            msgspec.structs.force_setattr(value, name, to)
        else:
            object.__setattr__(value, name, to)


class _Pydantic:
    """A model of pydantic, which needs no import: a program that has one has imported it."""

    def __init__(self, schema: Any) -> None:
        fields: dict[str, Any] = schema.model_fields
        self.keys = frozenset(field.serialization_alias or name for name, field in fields.items())
        self.names = tuple(fields)
        self._schema = schema

    def load(self, data: Data) -> Any:
        return self._schema.model_validate(data)

    def dump(self, value: Any) -> Data:
        data: Data = value.model_dump(mode="json", by_alias=True, include=set(self.names), warnings=False)
        return data

    def assign(self, value: Any, name: str, to: object) -> None:
        object.__setattr__(value, name, to)
