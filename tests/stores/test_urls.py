"""The URLs of all stores: how they are spelled, and what an error may quote of them."""

from __future__ import annotations

import traceback

import pytest

from sessile import InvalidOption, stores
from sessile.stores.mysql import MysqlStore
from sessile.stores.postgresql import PostgresqlStore
from sessile.testing import FrozenClock

PLACES = [
    "postgresql://u:{}@host:5432/db",
    "postgresql://{}@host/db",
    "mysql://u:{}@host:3306/db",
    "mariadb://u:{}@host/db?ssl=yes",
    "redis://u:{}@host:6379/0",
    "redis://:{}@host:6379",
    "rediss://:{}@host:6379",
    "redis+sentinel://:{}@host:26379/mymaster",
    "redis+cluster://:{}@host:6379",
    "unix://:{}@/run/redis.sock",
    "mongodb://u:{}@host:27017/db",
    "mongodb+srv://u:{}@host/db",
    "memcached://u:{}@host:11211",
    "dynamodb://u:{}@table",
    "sqlite://u:{}@host/sessions.db",
    "file://u:{}@host/sessions",
    "memory://u:{}@host",
    "cookie://u:{}@host",
    "unknown://u:{}@host",
    "postgresql:u:{}@host/db",
    "u:{}@host",
]
SIGNS = ["/", "?", "#", "@", ":", "%", "[", "]", "=", "+", "%zz", "&a=", " ", "\\", "\n", "://", "?timeout=", "?ssl="]


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("sign", SIGNS)
def test_no_error_quotes_what_is_before_the_last_at(place: str, sign: str) -> None:
    """Passwords of clouds are pasted as they are, and errors end in logs."""
    try:
        stores.from_url(place.format(f"Zo3{sign}Qx7"), FrozenClock())
    except InvalidOption as error:
        text = "".join(traceback.format_exception_only(error)) + repr(error.__cause__)
        assert "Zo3" not in text
        assert "Qx7" not in text


@pytest.mark.parametrize(
    "place", [place for place in PLACES if place.startswith(("p", "my", "ma", "r", "un", "mo"))][:12]
)
@pytest.mark.parametrize("sign", ["/", "?", "#", "@", "%", "[", " "])
def test_a_password_that_is_not_encoded_is_refused(place: str, sign: str) -> None:
    """Before a part of it can get to DNS or to a server; the error says how to write it."""
    with pytest.raises(InvalidOption, match="quote"):
        stores.from_url(place.format(f"p{sign}w"), FrozenClock())


@pytest.mark.parametrize("make", [PostgresqlStore, MysqlStore])
def test_a_store_that_is_made_directly_looks_too(make: type) -> None:
    """It gets the same URL."""
    with pytest.raises(InvalidOption, match="percent-encoded"):
        make("mysql://u:p@ss@host/db" if make is MysqlStore else "postgresql://u:p@ss@host/db")


def test_an_encoded_password_is_as_good_as_any() -> None:
    """And so is an @ in a path of this machine, or an encoded one in an option."""
    for url in (
        "mysql://u:p%40s%2Fs%3F@host/db",
        "postgresql://u:p%40s%2Fs:x=+@host/db?application_name=a%40b",
        "mysql://u:p@host/db?unix_socket=/run/a%40b",
    ):
        stores.from_url(url, FrozenClock())


@pytest.mark.parametrize(
    ("url", "spelling"),
    [
        ("sqlite:sessions.db", '"sqlite:///sessions.db"'),
        ("sqlite:./data/sessions.db", '"sqlite:///data/sessions.db"'),
        ("sqlite:/var/sessions.db", '"sqlite:////var/sessions.db"'),
        ("sqlite:", '"sqlite:///sessions.db"'),
        ("sqlite::memory:", '"memory://"'),
        ("sqlite:///:memory:", '"memory://"'),
        ("sqlite://sessions.db", '"sqlite:///sessions.db"'),
        ("file:./x", '"file:///x"'),
        ("file:x", '"file:///x"'),
        ("memory:", '"memory://"'),
        ("redis:localhost", '"redis://..."'),
        ("sessions.db", '"sqlite:///sessions.db"'),
        ("redis", '"redis://"'),
        ("", "Use one of: memory://"),
    ],
)
def test_a_slip_of_the_pen_gets_the_right_spelling(url: str, spelling: str) -> None:
    """No file is made that nobody has asked for."""
    with pytest.raises(InvalidOption) as caught:
        stores.from_url(url, FrozenClock())
    assert spelling in str(caught.value)
