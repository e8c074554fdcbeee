"""Sessions in cookies, handed to and fro between packages of Node and us."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from tests._engine.node_forms import DAY, FORMS, Form, Node, node

DATA = {
    "2": "first",
    "name": "Zoë 漢字 😀",
    "n": 1,
    "pi": 3.5,
    "tiny": 1e-7,
    "nested": {"a": [1, [2, []], {}]},
    "none": None,
}


@pytest.fixture(scope="module", params=FORMS.values(), ids=FORMS)
def beside(request: pytest.FixtureRequest) -> Iterator[tuple[Form, Node]]:
    with node(request.param, request.param.one) as site:
        yield request.param, site


def test_what_node_wrote_is_read_and_continued(beside: tuple[Form, Node]) -> None:
    """To and fro, unicode and odd numbers and all."""
    form, theirs = beside
    jar: dict[str, str] = {}
    ours = form.site()
    theirs.visit(jar, DATA)
    assert ours.visit(jar, lambda session: session["nested"]["a"].append("python")) == DATA
    changed = {**DATA, "nested": {"a": [1, [2, []], {}, "python"]}}
    assert theirs.visit(jar, {"n": 2}) == changed
    assert ours.visit(jar) == {**changed, "n": 2}


def test_what_we_wrote_is_read_and_continued(beside: tuple[Form, Node]) -> None:
    form, theirs = beside
    jar: dict[str, str] = {}
    ours = form.site()
    ours.visit(jar, lambda session: session.update(DATA))
    assert theirs.visit(jar, {"node": True}) == DATA
    assert ours.visit(jar) == {**DATA, "node": True}


def test_looking_changes_nothing(beside: tuple[Form, Node]) -> None:
    """What Node wrote does not look like a change here."""
    form, theirs = beside
    jar: dict[str, str] = {}
    theirs.visit(jar, DATA)
    before = dict(jar)
    form.site().visit(jar, lambda session: session["nested"]["a"][0])
    assert jar == before


def test_both_can_end_it(beside: tuple[Form, Node]) -> None:
    form, theirs = beside
    jar: dict[str, str] = {}
    ours = form.site()
    ours.visit(jar, lambda session: session.update(n=1))
    ours.visit(jar, lambda session: session.destroy())
    assert jar == {}
    ours.visit(jar, lambda session: session.update(n=1))
    theirs.visit(jar, None)
    assert ours.visit(jar) == {}


def test_a_log_in_here_goes_through_node_untouched(beside: tuple[Form, Node]) -> None:
    form, theirs = beside
    jar: dict[str, str] = {}
    ours = form.site()
    ours.visit(jar, lambda session: session.login("ada"))
    theirs.visit(jar, {"n": 1})
    users: list[Any] = []
    ours.visit(jar, lambda session: users.append(session.user_id))
    assert users == ["ada"]


def test_a_log_in_there_is_read_here_and_ended_here(beside: tuple[Form, Node]) -> None:
    """And Node finds nobody any more."""
    form, theirs = beside
    jar: dict[str, str] = {}
    theirs.visit(jar, {"user": {"id": 7}})
    ours = form.site()
    assert ours.visit(jar, lambda session: session.logout()) == {"user": {"id": 7}}
    assert theirs.visit(jar) == {}


def test_a_tampered_cookie_is_no_session_for_either(beside: tuple[Form, Node]) -> None:
    form, theirs = beside
    jar: dict[str, str] = {}
    theirs.visit(jar, {"n": 1})
    value = jar["session"]
    forged = {**jar, "session": f"{value[:-10]}{'B' if value[-10] == 'A' else 'A'}{value[-9:]}"}
    ours = form.site()
    assert ours.visit(dict(forged)) == {}
    assert theirs.visit(dict(forged)) == {}
    assert ours.events == ["bad_signature"]


def test_another_secret_opens_nothing(beside: tuple[Form, Node]) -> None:
    """Neither theirs here nor ours there."""
    form, theirs = beside
    jar: dict[str, str] = {}
    theirs.visit(jar, {"n": 1})
    stranger = form.site(form.old_secret)
    assert stranger.visit(dict(jar)) == {}
    assert stranger.events == ["bad_signature"]
    jar = {}
    stranger.visit(jar, lambda session: session.update(n=1))
    assert theirs.visit(jar) == {}


def test_both_find_it_over_at_its_end(beside: tuple[Form, Node]) -> None:
    """A session that ended a while ago, though the browser still has its cookie."""
    form, theirs = beside
    jar: dict[str, str] = {}
    old = form.site(clock=lambda: time.time() - DAY - 100)
    old.visit(jar, lambda session: session.update(n=1))
    assert old.visit(dict(jar)) == {"n": 1}
    ours = form.site()
    assert ours.visit(dict(jar)) == {}
    assert ours.events == ["expired"]
    assert theirs.visit(dict(jar)) == {}


@pytest.mark.parametrize("form", [form for form in FORMS.values() if form.two], ids=lambda form: form.name)
def test_secrets_are_rotated_as_in_node(form: Form) -> None:
    """What an older one protects is read by both, and protected anew with the first at the next visit here."""
    old_options = {**form.two, **form.one} if form.two else form.one
    with ExitStack() as stack:
        both = stack.enter_context(node(form, form.two or {}))
        one = stack.enter_context(node(form, old_options))
        jar: dict[str, str] = {}
        form.site(form.old_secret).visit(jar, lambda session: session.update(n=1))
        assert both.visit(dict(jar)) == {"n": 1}
        assert form.site([form.secret, form.old_secret]).visit(jar) == {"n": 1}
        assert both.visit(dict(jar)) == {"n": 1}
        if form.name != "iron-session":  # There the number of the password has changed.
            assert one.visit(dict(jar)) == {"n": 1}


@pytest.mark.parametrize("form", [form for form in FORMS.values() if form.keeps_life], ids=lambda form: form.name)
def test_a_session_keeps_the_length_of_its_own_life(form: Form) -> None:
    """A visitor whom Node remembers for longer than our options say."""
    options = {**form.one, "maxAge": 30 * DAY * 1000, "duration": 30 * DAY * 1000}
    if form.name == "client-sessions":
        del options["maxAge"]
    else:
        del options["duration"]
    with node(form, options) as theirs:
        jar: dict[str, str] = {}
        theirs.visit(jar, {"n": 1})
        lives: list[float] = []
        ours = form.site()
        ours.visit(jar, lambda session: (lives.append(session.cookie.original_max_age), session.update(n=2)))
        ours.visit(jar, lambda session: lives.append(session.cookie.original_max_age))
        assert lives == [30 * DAY, 30 * DAY]
        assert theirs.visit(jar) == {"n": 2}
