"""The checker finds what it is there to find, and nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.stress.checker import Operation, check, read_histories

A, B = "ann a", "ann b"


class History:
    """Operations of one login, unless they say otherwise; times are seconds."""

    def __init__(self) -> None:
        self.operations: list[Operation] = []
        self.add("login", 0, 1, sid=None, life=None, begins="l", new="s")

    def add(self, op: str, start: float, end: float | None = None, **more: Any) -> History:
        fields = {"user": "ann", "sid": "s", "life": "l", "outcome": "unknown" if end is None else "ok"} | more
        times = {} if end is None else {"end": end * 1e9, "seen_at": end * 1e9}
        if "seen" in fields:
            fields["seen"] = {"user": "ann", "life": "l", **fields["seen"]}
        name = f"{op}{len(self.operations)}"
        self.operations.append(Operation(id=name, op=op, start=start * 1e9, **{**times, **fields}))
        return self

    def write(self, value: str, start: float, end: float | None = None, **more: Any) -> History:
        return self.add("write", start, end, writes={"k": value}, **more)

    def incr(self, start: float, end: float | None = None, **more: Any) -> History:
        return self.add("incr", start, end, counts="n", **more)

    def read(self, start: float, end: float, **seen: Any) -> History:
        return self.add("read", start, end, seen=seen)

    def none(self, start: float, end: float, **more: Any) -> History:
        return self.add("read", start, end, outcome="none", **more)

    def faults(self, **options: Any) -> list[str]:
        return [fault.kind for fault in check(self.operations, **options)]


@pytest.fixture
def history() -> History:
    return History()


def test_what_is_right_is_no_fault(history: History) -> None:
    history.read(1, 2).write(A, 3, 4).read(5, 6, k=A).incr(5, 7, result=1).incr(5, 7, result=2).read(8, 9, k=A, n=2)
    history.add("rotate", 10, 11, new="s2").none(12, 13).add("read", 12, 13, sid="s2", seen={"k": A, "n": 2})
    history.add("logout", 14, 15, sid="s2").add("read", 16, 17, sid="s2", outcome="none")
    assert history.faults() == []


# Lost updates ---------------------------------------------------------------------------------------------------------


def test_a_lost_update_is_found(history: History) -> None:
    """Two were acknowledged one after the other, and the first one is there."""
    assert history.write(A, 2, 3).write(B, 4, 5).read(6, 7, k=A).faults() == ["lost update"]


def test_a_key_that_was_written_and_is_not_there_is_found(history: History) -> None:
    assert history.write(A, 2, 3).read(4, 5).faults() == ["lost update"]


def test_a_lost_update_is_found_across_a_new_id(history: History) -> None:
    history.write(A, 2, 3).add("rotate", 4, 5, new="s2")
    assert history.add("read", 6, 7, sid="s2", seen={}).faults() == ["lost update"]


@pytest.mark.parametrize("seen", [A, B])
def test_of_two_writes_at_once_either_may_be_the_later(history: History, seen: str) -> None:
    assert history.write(A, 2, 4).write(B, 3, 5).read(6, 7, k=seen).faults() == []


def test_but_not_one_and_then_the_other_and_then_the_one(history: History) -> None:
    history.write(A, 2, 4).write(B, 3, 5).read(6, 7, k=A).read(8, 9, k=B).read(10, 11, k=A)
    assert "lost update" in history.faults()


def test_a_read_may_overlap_a_write(history: History) -> None:
    """And two reads at once may see different things."""
    assert history.write(A, 2, 3).write(B, 4, 9).read(5, 7, k=A).read(5, 6, k=B).faults() == []
    assert history.read(8, 8.5, k=A).faults() == ["lost update"]


@pytest.mark.parametrize("seen", [A, B])
def test_of_an_unknown_write_either_may_be_true(history: History, seen: str) -> None:
    assert history.write(A, 2, 3).write(B, 4).read(6, 7, k=seen).faults() == []


def test_an_unknown_write_may_arrive_late_but_does_not_leave_again(history: History) -> None:
    assert history.write(A, 2, 3).write(B, 4).read(6, 7, k=A).read(8, 9, k=B).faults() == []
    assert history.read(10, 11, k=A).faults() == ["lost update"]


def test_a_value_that_nobody_wrote_is_found(history: History) -> None:
    assert history.read(2, 3, k=A).faults() == ["invented"]


def test_a_value_from_the_future_is_found(history: History) -> None:
    assert history.read(2, 3, k=A).write(A, 4, 5).faults() == ["invented"]


@pytest.mark.parametrize("outcome", ["refused", "gone"])
def test_a_write_that_was_said_to_be_none_and_was_one_is_found(history: History, outcome: str) -> None:
    assert "invented" in history.write(A, 2, 3, outcome=outcome).read(4, 5, k=A).faults()


# Counters -------------------------------------------------------------------------------------------------------------


def test_a_lost_increment_is_found(history: History) -> None:
    assert history.incr(2, 3).incr(2, 3).read(4, 5, n=1).faults() == ["wrong counter"]


def test_two_who_were_told_the_same_number_are_found(history: History) -> None:
    assert history.incr(2, 4, result=1).incr(2, 4, result=1).faults() == ["wrong counter"]


def test_an_increment_carried_out_twice_is_found(history: History) -> None:
    assert history.incr(2, 3).read(4, 5, n=2).faults() == ["wrong counter"]


def test_a_counter_that_runs_backwards_is_found(history: History) -> None:
    assert history.incr(2, 9).read(3, 4, n=1).read(5, 6, n=0).faults() == ["wrong counter"]


@pytest.mark.parametrize("seen", [1, 2])
def test_an_unknown_increment_may_count_or_not(history: History, seen: int) -> None:
    assert history.incr(2, 3).incr(2).read(4, 5, n=seen).faults() == []


@pytest.mark.parametrize("outcome", ["refused", "gone"])
def test_a_refused_increment_does_not_count(history: History, outcome: str) -> None:
    assert "wrong counter" in history.incr(2, 3, outcome=outcome).read(4, 5, n=1).faults()


# Ends -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("op", ["logout", "rotate", "relogin"])
def test_an_undone_logout_is_found(history: History, op: str) -> None:
    assert history.add(op, 2, 3).read(4, 5).faults()[0] == "undone logout"


def test_a_request_that_began_before_the_logout_had_ended_may_see_the_session(history: History) -> None:
    assert history.add("logout", 2, 4).read(3, 5).faults() == []


def test_of_an_unknown_logout_either_may_be_true(history: History) -> None:
    assert history.add("logout", 2).read(4, 5).read(6, 7).none(8, 9).faults() == []


def test_but_who_was_found_gone_stays_gone(history: History) -> None:
    assert history.add("logout", 2).none(4, 5).read(6, 7).faults() == ["undone logout"]


@pytest.mark.parametrize("op", ["logout", "revoke", "password"])
def test_an_end_that_was_asked_for_twice_may_have_been_told_that_it_came_too_late(history: History, op: str) -> None:
    assert history.add(op, 2, 3, outcome="gone").none(4, 5).faults() == []
    assert "lost session" in history.none(0, 1).faults()


def test_a_session_that_nobody_ended_and_is_gone_is_found(history: History) -> None:
    history.none(2, 3)
    assert history.faults() == ["lost session"]
    assert history.faults(forgets=True) == []


def test_a_logout_that_ended_nothing_is_not_to_blame(history: History) -> None:
    assert history.add("logout", 2, 3, outcome="refused").none(4, 5).faults() == ["lost session"]


def test_a_session_that_outlives_its_time_is_found(history: History) -> None:
    """Each request gives it its whole life anew; whole seconds are rounded up."""
    history.add("read", 1, 2, max_age=1, seen={}).add("read", 2.5, 3, max_age=1, seen={})
    assert history.add("read", 4.9, 5, max_age=1, seen={}).faults() == []
    assert history.add("read", 7.1, 8, max_age=1, seen={}).faults() == ["expired"]
    assert history.add("read", 20, 21, max_age=1, outcome="none").faults() == ["expired"]


def test_an_unknown_request_may_prolong_it_at_any_time(history: History) -> None:
    history.add("read", 1, 2, max_age=1, seen={}).add("read", 2, max_age=1)
    assert history.add("read", 9, 10, max_age=1, seen={}).faults() == []


def test_a_logout_that_was_overtaken_by_a_new_id_is_found(history: History) -> None:
    history.add("logout", 2, 5).add("rotate", 3, 4, new="s2").none(6, 7, sid="s2")
    assert history.faults() == []
    assert history.add("read", 8, 9, sid="s2", seen={}).faults()[0] == "undone logout"


def test_a_login_that_goes_on_after_a_logout_is_found(history: History) -> None:
    history.add("logout", 2, 5).add("rotate", 3, 4, new="s2").add("read", 6, 7, sid="s2", seen={})
    assert history.faults() == ["overtaken logout"]


def test_an_id_may_answer_for_as_long_as_it_was_said_to(history: History) -> None:
    history.add("renew", 2, 3, new="s2", grace=1e9).add("read", 3.5, 3.9, seen={})
    assert history.faults() == []
    assert history.add("read", 4.1, 5, seen={}).faults() == ["undone logout"]


def test_who_asks_for_a_new_id_by_one_that_was_renewed_gets_none_and_ends_nothing(history: History) -> None:
    history.add("renew", 2, 3, new="s2", grace=2e9).add("rotate", 3.2, 3.4).add("read", 3.5, 3.9, seen={})
    assert history.faults() == []
    history.add("rotate", 4, 4.1, new="s3").add("read", 4.2, 4.3, seen={})
    assert history.faults() == ["undone logout"]


# Revocations ----------------------------------------------------------------------------------------------------------


def log_in(history: History, life: str, start: float, end: float, op: str = "login", **more: Any) -> History:
    fields: dict[str, Any] = {
        "sid": None,
        "life": None,
        "begins": life,
        "new": f"s{life}",
        "seen_at": (start + 0.1) * 1e9,
    }
    fields |= {"account": "ann", "where": f"at {life}"}
    return history.add(op, start, end, **{**fields, **more})


def look(history: History, life: str, start: float, **more: Any) -> History:
    return history.add("read", start, start + 0.5, sid=f"s{life}", life=life, seen={"life": life}, **more)


def revoke(history: History, start: float, end: float | None, of: str = "ann", **more: Any) -> History:
    return history.add("revoke_user", start, end, sid=None, life=None, revokes=of, **more)


def gone(history: History, life: str, start: float) -> History:
    return history.none(start, start + 0.5, sid=f"s{life}", life=life)


def test_a_revocation_ends_what_was_there_and_nothing_that_comes_later(history: History) -> None:
    look(revoke(log_in(history, "1", 2, 3), 4, 6), "1", 5)
    look(gone(log_in(history, "2", 7, 8), "1", 7), "2", 9)
    assert history.faults() == []


@pytest.mark.parametrize("of", ["ann", "at 1"])
def test_a_session_that_outlives_a_revocation_is_found(history: History, of: str) -> None:
    """Of its user, or of what it is marked with; under whatever id."""
    revoke(log_in(history, "1", 2, 3), 4, 5, of).add("rotate", 4, 5, sid="s1", life="1", new="other")
    assert history.faults() == []
    history.add("read", 6, 7, sid="other", life="1", seen={"life": "1"})
    assert history.faults() == ["outlived a revocation"]


def test_a_log_in_that_began_before_a_revocation_does_not_outlive_it(history: History) -> None:
    """Though it was answered afterwards. One that began while it was under way may."""
    look(revoke(log_in(history, "1", 2, 7), 3, 5), "1", 8)
    assert history.faults() == ["outlived a revocation"]
    look(log_in(history, "2", 4, 7), "2", 8)
    assert history.faults() == ["outlived a revocation"]


def test_a_change_of_the_password_spares_its_own_log_in(history: History) -> None:
    log_in(history, "1", 2, 3)
    log_in(history, "2", 4, 5, "password", revokes="ann")
    assert look(gone(history, "1", 6), "2", 6).faults() == []
    assert "outlived a revocation" in look(history, "1", 8).faults()


def test_of_two_changes_of_the_password_at_once_the_later_may_go_on(history: History) -> None:
    """It has revoked all others itself, at a moment that nobody wrote down."""
    revoke(log_in(history, "1", 2, 7, "password", revokes="ann"), 3, 5)
    assert look(history, "1", 8).faults() == []
    assert look(revoke(history, 10, 11), "1", 12).faults() == ["outlived a revocation"]


@pytest.mark.parametrize("outcome", ["unknown", "refused"])
def test_a_revocation_that_was_not_answered_promises_nothing(history: History, outcome: str) -> None:
    revoke(log_in(history, "1", 2, 3), 4, 5, outcome=outcome)
    assert look(history, "1", 6).faults() == []
    assert gone(history, "1", 8).faults() == []


def test_a_revocation_of_another_is_no_excuse(history: History) -> None:
    assert gone(revoke(log_in(history, "1", 2, 3), 4, 5, "bob"), "1", 6).faults() == ["lost session"]


def test_nor_is_one_that_was_over_before_the_log_in(history: History) -> None:
    assert gone(log_in(revoke(history, 2, 3), "1", 4, 5), "1", 6).faults() == ["lost session"]


def test_one_login_that_was_revoked_does_not_go_on(history: History) -> None:
    history.add("revoke", 2, 5).add("rotate", 3, 4, new="s2").add("read", 6, 7, sid="s2", seen={})
    assert history.faults() == ["overtaken logout"]


# The limit ------------------------------------------------------------------------------------------------------------


def test_more_logins_than_the_limit_are_found(history: History) -> None:
    """At one moment, and only if each was found by a request that began after that."""
    log_in(log_in(log_in(history, "1", 2, 3), "2", 2, 4), "3", 5, 6)
    look(look(look(history, "1", 5.5), "2", 7), "3", 7)
    assert history.faults(limit=2) == []
    assert look(history, "1", 6.5).faults(limit=2) == ["limit exceeded"]
    assert history.faults(limit=3) == history.faults() == []


def test_a_log_in_at_the_limit_ends_another(history: History) -> None:
    log_in(log_in(history, "1", 2, 3), "2", 4, 5)
    assert gone(history, "1", 6).faults(limit=1) == []
    assert history.faults(limit=2) == ["lost session"]


def test_but_not_one_that_began_after_it(history: History) -> None:
    log_in(log_in(history, "1", 2, 3), "2", 4, 5)
    assert gone(history, "2", 6).faults(limit=1) == ["lost session"]


# Strangers ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seen", [{"user": "bob"}, {"life": "another login"}, {"k": "bob a"}])
def test_a_stranger_is_found(history: History, seen: dict[str, str]) -> None:
    """Their session, an old one of the own user, or a value of theirs."""
    history.write("bob a", 1, 2, user="bob")
    assert history.read(3, 4, **seen).faults()[0] == "stranger"


def test_a_session_for_who_brought_none_is_found(history: History) -> None:
    assert history.add("login", 2, 3, sid=None, life=None, begins="m", seen={}).faults() == ["stranger"]


# Files ----------------------------------------------------------------------------------------------------------------


def test_a_history_that_breaks_off_is_read(tmp_path: Path) -> None:
    """A process was killed: what it had begun is unknown, half a line is none."""
    first = '{"id":"1","op":"login","user":"ann","begins":"l","start":1}\n{"id":"1","outcome":"ok","new":"s","end":2}\n'
    second = '{"id":"2","op":"read","user":"ann","sid":"s","life":"l","start":3}\n{"id":"2","outco'
    (tmp_path / "w.history").write_text(first + second)
    known, unknown = read_histories(tmp_path)
    assert (known.outcome, known.end, unknown.outcome) == ("ok", 2, "unknown")
    assert unknown.end > 10**30
