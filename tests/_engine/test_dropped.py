"""A cookie that browsers drop without a word: no record is made, and one event says why."""

from __future__ import annotations

from typing import Any

import pytest

from sessile import CookieOptions, InvalidOption, RequestFacts, Sessions
from tests.conftest import SECRET

CASES: list[dict[str, Any]] = [
    {"name": "__Host-sid"},
    {"name": "__host-sid"},
    {"name": "__Secure-sid"},
    {"cookie": CookieOptions(same_site="none")},
    {"cookie": CookieOptions(partitioned=True)},
    {"name": "__Host-sid", "cookie": lambda facts: CookieOptions()},
]


def visit(sessions: Sessions, scheme: str, cookie: str = "") -> tuple[str, ...]:
    session = sessions.engine.begin_sync(cookie.encode(), lambda: RequestFacts(scheme=scheme))
    session["n"] = session.get("n", 0) + 1
    values = sessions.engine.commit_sync(session)
    assert isinstance(values, tuple)
    return values


@pytest.mark.parametrize("options", CASES, ids=lambda options: "-".join(options))
def test_over_http_nothing_is_stored_and_one_event_says_why(options: dict[str, Any]) -> None:
    told: list[str] = []
    sessions = Sessions(secret=SECRET, on_event=lambda event: told.append(f"{event.name} {event.detail}"), **options)
    for _ in range(3):
        assert visit(sessions, "http") == ()
    assert sessions.count() == 0
    (line,) = told
    assert line.startswith("insecure_transport browsers drop its cookie")
    assert "https" in line


@pytest.mark.parametrize("options", CASES, ids=lambda options: "-".join(options))
def test_over_https_it_is_kept(options: dict[str, Any]) -> None:
    sessions = Sessions(secret=SECRET, **options)
    (value,) = visit(sessions, "https")
    assert "; Secure" in value
    assert sessions.count() == 1


@pytest.mark.parametrize("name", ["__Host-sid", "__Secure-sid"])
def test_without_secure_it_is_refused_at_once(name: str) -> None:
    with pytest.raises(InvalidOption, match="secure"):
        Sessions(secret=SECRET, name=name, cookie=CookieOptions(secure=False))
    for wrong in ({"same_site": "none"}, {"partitioned": True}):
        with pytest.raises(InvalidOption, match="secure"):
            CookieOptions(secure=False, **wrong)  # type: ignore[arg-type]


def test_a_header_is_dropped_by_nobody() -> None:
    """Where the token travels in a header, there is no cookie to drop."""
    sessions = Sessions(secret=SECRET, transport="header", name="__Host-sid")
    assert len(visit(sessions, "http")) == 1
