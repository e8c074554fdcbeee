"""The shop in a folder of its own, and people who visit it."""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from argon2 import PasswordHasher
from fastapi import FastAPI
from starlette.testclient import TestClient

from sessile import Sessions
from sessile.demo import users
from sessile.demo.app import COOKIE_NAME, create_app
from sessile.testing import FrozenClock
from tests.conftest import SECRET

Guest = Callable[[], TestClient]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the shop keeps everything."""
    return tmp_path / "shop"


@pytest.fixture
def app(folder: Path, clock: FrozenClock, monkeypatch: pytest.MonkeyPatch) -> FastAPI:
    """The shop, by the clock that stands still. Its hashes of passwords are quick to make, and quick to guess."""
    monkeypatch.setattr(users, "_hasher", PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
    return create_app(folder, secret=SECRET, clock=clock)


@pytest.fixture
def new_guest(app: FastAPI) -> Iterator[Guest]:
    """A function that returns the browser of somebody who has not been here before."""
    guests: list[TestClient] = []

    def make() -> TestClient:
        guests.append(TestClient(app, base_url="http://shop.test"))
        return guests[-1]

    yield make
    for guest in guests:
        guest.close()


@pytest.fixture
def guest(new_guest: Guest) -> TestClient:
    """Somebody who has not been here before."""
    return new_guest()


@pytest.fixture
def records(app: FastAPI, folder: Path, clock: FrozenClock) -> Iterator[Sessions]:
    """The sessions of the shop, as another program sees them."""
    sessions = Sessions(secret=SECRET, store=f"sqlite:///{folder / 'sessions.db'}", clock=clock)
    yield sessions
    sessions.close()


def shown(page: str, what: str) -> str:
    """Return the text of the element that a page marks as ``what``, or "" if it has none."""
    found = re.search(rf'<(\w+)[^>]*data-testid="{what}"[^>]*>(.*?)</\1>', page, re.DOTALL)
    return "" if found is None else html.unescape(re.sub(r"<[^>]*>", "", found[2])).strip()


def state(page: str) -> str:
    """Return what the panel of a page says of the session: none, refused, arriving or sent."""
    found = re.search(r'data-state="(\w+)"', page)
    assert found is not None
    return found[1]


def token(guest: TestClient) -> str | None:
    """Return the session cookie that a guest has."""
    return guest.cookies.get(COOKIE_NAME)


def sign_up(guest: TestClient, name: str = "Grace", password: str = "a fine password") -> None:
    """Sign up, which logs in as well."""
    assert guest.post("/signup", data={"name": name, "password": password}).status_code == 200


def log_in(guest: TestClient, name: str = "Grace", password: str = "a fine password") -> None:
    """Log in."""
    assert guest.post("/login", data={"name": name, "password": password}).status_code == 200
