"""The administrator's console"""

from __future__ import annotations

from pathlib import Path

import pytest
from starlette.testclient import TestClient

from sessile import Sessions
from sessile.demo.users import Users
from tests.demo.conftest import Guest, shown, sign_up


@pytest.fixture
def at_home(new_guest: Guest) -> Guest:
    """Guests by HTTPS: the console answers to nothing else from another machine."""

    def make() -> TestClient:
        guest = new_guest()
        guest.base_url = "https://shop.test"  # type: ignore[assignment]
        return guest

    return make


def test_who_signs_up_first_may_enter(at_home: Guest) -> None:
    """They find the way on the page of their devices; others do not, and are refused."""
    grace, ada = at_home(), at_home()
    sign_up(grace)
    sign_up(ada, "Ada")
    assert 'href="/console/"' in grace.get("/devices").text
    assert 'href="/console/"' not in ada.get("/devices").text
    assert grace.get("/console/").status_code == 200
    assert ada.get("/console/").status_code == at_home().get("/console/").status_code == 403


def test_an_end_counts_at_once(at_home: Guest, records: Sessions) -> None:
    """The next request of the session that was ended finds none."""
    grace, ada = at_home(), at_home()
    sign_up(grace)
    sign_up(ada, "Ada")
    (other,) = {session.user_id for session in records.all() if session["name"] == "Ada"}
    answer = grace.post("/console/end", data={"user": other}, headers={"Origin": "https://shop.test"})
    assert "1 session ended" in answer.text
    assert shown(ada.get("/").text, "visitor") == ""
    assert shown(grace.get("/").text, "visitor") == "Grace"


def test_the_second_is_no_administrator(tmp_path: Path) -> None:
    """Nor anybody after."""
    users = Users(tmp_path / "users.db")
    first, second = users.register("Grace", "a fine password"), users.register("Ada", "a fine password")
    assert users.is_administrator(first.id)
    assert not users.is_administrator(second.id)
