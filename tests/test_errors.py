"""The tree of exceptions: whose fault each is, and what it says without giving anything away."""

from __future__ import annotations

import pytest

from sessile import errors
from sessile.errors import (
    InvalidOption,
    MissingExtra,
    MissingMiddleware,
    NotLoaded,
    SessionConflict,
    SessionEnded,
    SessionError,
    SessionGone,
    StoreRefused,
    StoreUnavailable,
    UnserialisableValue,
)


def test_one_base_catches_all() -> None:
    """Every exception of the library is a SessionError."""
    for name in errors.__all__:
        assert issubclass(getattr(errors, name), SessionError)


@pytest.mark.parametrize(
    ("error", "builtin"),
    [
        (InvalidOption, ValueError),
        (MissingExtra, ImportError),
        (MissingMiddleware, RuntimeError),
        (NotLoaded, RuntimeError),
        (SessionEnded, RuntimeError),
        (UnserialisableValue, TypeError),
    ],
)
def test_the_fault_of_a_program_is_one_that_python_knows(error: type[Exception], builtin: type[Exception]) -> None:
    """A programmer's mistake is caught too by who catches the builtin exception for such a mistake."""
    assert issubclass(error, builtin)


@pytest.mark.parametrize("error", [SessionConflict, SessionGone, StoreRefused, StoreUnavailable])
def test_what_is_nobodys_fault_is_no_mistake(error: type[Exception]) -> None:
    """A conflict, an ended session and an outage are not confused with mistakes of the program."""
    assert not issubclass(error, (ValueError, TypeError, RuntimeError, ImportError))


def test_an_option_is_named_with_its_remedy() -> None:
    """InvalidOption says which option, what is wrong, and what to write."""
    error = InvalidOption("ttl", "0 is no length of time", "Give seconds.")
    assert str(error) == "ttl: 0 is no length of time. Give seconds."
    assert (error.option, error.remedy) == ("ttl", "Give seconds.")


def test_a_missing_extra_is_named_with_the_command() -> None:
    """MissingExtra has the command that installs what is missing."""
    error = MissingExtra("The store redis://", "redis")
    assert "pip install 'sessile[redis]'" in str(error)
    assert error.extra == "redis"


def test_a_place_in_the_session_is_named() -> None:
    """UnserialisableValue says where the value is, as Python would reach it."""
    error = UnserialisableValue("session['cart'][0]", "is a Decimal")
    assert str(error) == "session['cart'][0] is a Decimal"
    assert error.path == "session['cart'][0]"


def test_a_conflict_shows_no_data() -> None:
    """A conflict carries what it needs to be settled, and its text has none of it."""
    error = SessionConflict({"a": "hunter1"}, {"a": "hunter2"}, {"a": "hunter3"})
    assert (error.base, error.mine, error.theirs) == ({"a": "hunter1"}, {"a": "hunter2"}, {"a": "hunter3"})
    assert "hunter" not in f"{error} {error!r}"


def test_a_refusal_names_store_operation_and_reason() -> None:
    """And it is an outage to those who only know outages."""
    error = StoreRefused("RedisStore", "replace", "OOM command not allowed")
    assert str(error) == "RedisStore refused replace: OOM command not allowed"
    assert (error.store, error.operation, error.reason) == ("RedisStore", "replace", "OOM command not allowed")
    assert isinstance(error, StoreUnavailable)
