"""The laws of merging what two requests changed."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sessile._records.record import stringify
from sessile.merge import add, append, first, largest, merge, smallest, union

keys = st.sampled_from("abcde")
#: Few values, so that two requests often choose the same one; among them those that Python takes for equal.
values = st.sampled_from([None, True, False, 1, 1.0, 0, -0.0, "", "1", [], [1], [True], {}, {"k": 1}, {"k": True}, 2.5])
datas = st.dictionaries(keys, values)


def as_json(data: dict[str, Any]) -> dict[str, str]:
    return {key: stringify(value) for key, value in data.items()}


def changed(before: dict[str, Any], after: dict[str, Any]) -> set[str]:
    """Return the keys that are not in ``after`` what they were in ``before``."""
    old, new = as_json(before), as_json(after)
    return {key for key in {*old, *new} if old.get(key) != new.get(key)}


@given(base=datas, mine=datas)
def test_my_change_to_an_unchanged_base_gives_mine(base: dict[str, Any], mine: dict[str, Any]) -> None:
    """Where nobody else changed anything, the outcome is what I have, and nothing collides."""
    merged = merge(base, mine, base)
    assert as_json(merged.data) == as_json(mine)
    assert merged.collisions == ()


@given(base=datas, theirs=datas)
def test_who_changed_nothing_changes_nothing(base: dict[str, Any], theirs: dict[str, Any]) -> None:
    """Where I changed nothing, the outcome is what they have, in their order."""
    merged = merge(base, base, theirs)
    assert list(merged.data.items()) == list(theirs.items())
    assert merged.collisions == ()


@given(base=datas, one=datas, other=datas)
def test_changes_to_different_keys_commute(base: dict[str, Any], one: dict[str, Any], other: dict[str, Any]) -> None:
    """Two requests that changed different keys leave the same data, whoever commits first, and nothing collides."""
    ours = changed(base, one)
    other = {key: value for key, value in other.items() if key not in ours} | {
        key: base[key] for key in base if key in ours
    }
    first = merge(base, other, one)
    second = merge(base, one, other)
    assert as_json(first.data) == as_json(second.data)
    assert first.collisions == second.collisions == ()


@given(base=datas, mine=datas, theirs=datas)
def test_a_key_that_i_did_not_touch_is_theirs(
    base: dict[str, Any], mine: dict[str, Any], theirs: dict[str, Any]
) -> None:
    """Keys that I left alone come out as they have them, and those that I changed as I have them."""
    merged = as_json(merge(base, mine, theirs).data)
    touched = changed(base, mine)
    for key in {*base, *mine, *theirs}:
        winner = mine if key in touched else theirs
        assert merged.get(key) == as_json(winner).get(key)


@given(base=datas, mine=datas, theirs=datas)
@example(base={"a": 1}, mine={"a": True}, theirs={"a": 1.0})
@example(base={}, mine={"a": 1}, theirs={"a": True})
@example(base={"a": 1}, mine={}, theirs={})
def test_collisions_are_what_both_changed_differently(
    base: dict[str, Any], mine: dict[str, Any], theirs: dict[str, Any]
) -> None:
    """A key collides if and only if both changed it, and not to the same value; each is named once."""
    collisions = merge(base, mine, theirs).collisions
    assert set(collisions) == changed(base, mine) & changed(base, theirs) & changed(mine, theirs)
    assert len(set(collisions)) == len(collisions)


@given(base=datas, mine=datas, theirs=datas)
def test_the_arguments_are_left_alone(base: dict[str, Any], mine: dict[str, Any], theirs: dict[str, Any]) -> None:
    """Merging changes none of its arguments, and the outcome is none of them."""
    before = copy.deepcopy((base, mine, theirs))
    merged = merge(base, mine, theirs)
    assert (base, mine, theirs) == before
    merged.data["new"] = 1
    assert (base, mine, theirs) == before


@given(base=datas, mine=datas, theirs=datas)
def test_merging_again_changes_nothing(base: dict[str, Any], mine: dict[str, Any], theirs: dict[str, Any]) -> None:
    """My change applied to what already has it gives the same: a commit that is tried again does no harm."""
    once = merge(base, mine, theirs).data
    assert as_json(merge(base, mine, once).data) == as_json(once)


@pytest.mark.parametrize(
    ("before", "now", "is_change"),
    [
        (1, True, True),
        (0, False, True),
        (1, 1.0, False),
        (0, -0.0, False),
        (None, False, True),
        ([1], [True], True),
        ("1", 1, True),
    ],
)
def test_values_are_compared_as_they_are_stored(before: Any, now: Any, is_change: bool) -> None:
    """True is not 1, and 1.0 is: what tells values apart is the JSON of them."""
    merged = merge({"a": before}, {"a": now}, {"a": "theirs"})
    assert merged.data == {"a": now if is_change else "theirs"}
    assert merged.collisions == (("a",) if is_change else ())


def test_removing_is_a_change() -> None:
    """A key that I removed is gone, and one that they removed comes back only if I changed it."""
    assert merge({"a": 1, "b": 2}, {"b": 2}, {"a": 1, "b": 3}).data == {"b": 3}
    assert merge({"a": 1}, {"a": 1}, {}).data == {}
    assert merge({"a": 1}, {"a": 2}, {}) == ({"a": 2}, ("a",))
    assert merge({"a": 1}, {}, {"a": 2}) == ({}, ("a",))
    assert merge({"a": 1}, {}, {}) == ({}, ())


def test_new_keys_come_last_in_my_order() -> None:
    """Their keys stay in their order, and mine follow in mine: the text of the record changes no more than it must."""
    merged = merge({"a": 1}, {"a": 1, "y": 1, "x": 1}, {"c": 1, "a": 1})
    assert list(merged.data) == ["c", "a", "y", "x"]


# Functions and depth --------------------------------------------------------------------------------------------------

lists = st.lists(st.sampled_from([1, 2, 3, "a", {"k": 1}]), max_size=5, unique_by=stringify)


@given(base=datas, mine=datas, theirs=datas)
def test_a_function_is_asked_whenever_both_changed_its_key(
    base: dict[str, Any], mine: dict[str, Any], theirs: dict[str, Any]
) -> None:
    """Also if both changed it to the same value, and never otherwise; what it returns is what stands there."""
    asked: list[tuple[Any, Any, Any]] = []

    def function(*values: Any) -> Any:
        asked.append(values)
        return "joined"

    merged = merge(base, mine, theirs, functions={"a": function})
    both = "a" in changed(base, mine) and "a" in changed(base, theirs)
    assert asked == ([(base.get("a"), mine.get("a"), theirs.get("a"))] if both else [])
    assert (merged.data.get("a") == "joined") is both
    assert "a" not in merged.collisions


@given(base=datas, mine=datas, theirs=datas)
def test_a_function_that_returns_none_removes_the_key(
    base: dict[str, Any], mine: dict[str, Any], theirs: dict[str, Any]
) -> None:
    if "a" in changed(base, mine) and "a" in changed(base, theirs):
        assert "a" not in merge(base, mine, theirs, functions={"a": lambda *values: None}).data


@given(st.integers(), st.integers(), st.integers())
def test_both_additions_count(base: int, one: int, other: int) -> None:
    """Whoever commits first, and if both added the same."""
    for mine, theirs in ((one, other), (other, one)):
        merged = merge({"n": base}, {"n": base + mine}, {"n": base + theirs}, functions={"n": add})
        assert merged.data["n"] == base + one + other


@given(lists, lists, lists)
def test_a_union_has_what_either_added_and_not_what_either_removed(base: Any, mine: Any, theirs: Any) -> None:
    joined = union(base, mine, theirs)
    for value in [*base, *mine, *theirs]:
        added = value not in base and (value in mine or value in theirs)
        kept = value in base and value in mine and value in theirs
        assert (value in joined) is (added or kept)


@given(lists, lists, lists)
def test_what_both_appended_is_there(base: Any, mine: Any, theirs: Any) -> None:
    assert append(base, base + mine, base + theirs) == base + theirs + mine


@pytest.mark.parametrize("function", [add, union, append, largest, smallest, first])
def test_ready_made_functions_take_a_key_that_is_not_there(function: Any) -> None:
    """Both began with nothing; one of them took it out again."""
    value = 1 if function in (add, largest, smallest, first) else [1]
    for base, mine, theirs in ((None, value, value), (value, None, value), (value, value, None), (None, None, None)):
        function(base, mine, theirs)


def test_dicts_are_joined_to_the_depth_that_was_asked_for() -> None:
    base = {"cart": {"rope": 1, "hook": {"n": 1, "m": 1}}}
    mine = {"cart": {"rope": 2, "hook": {"n": 2, "m": 1}}}
    theirs = {"cart": {"rope": 1, "hook": {"n": 1, "m": 2}, "map": 1}}
    assert merge(base, mine, theirs).data == mine
    assert merge(base, mine, theirs).collisions == ("cart",)
    two = merge(base, mine, theirs, depth=2)
    assert two.data == {"cart": {"rope": 2, "hook": {"n": 2, "m": 1}, "map": 1}}
    assert two.collisions == ("cart.hook",)
    three = merge(base, mine, theirs, depth=3)
    assert three.data == {"cart": {"rope": 2, "hook": {"n": 2, "m": 2}, "map": 1}}
    assert three.collisions == ()


@given(base=datas, mine=datas, theirs=datas, depth=st.integers(1, 4))
def test_depth_keeps_the_laws(base: dict[str, Any], mine: dict[str, Any], theirs: dict[str, Any], depth: int) -> None:
    """Whatever the depth: an unchanged base gives mine, and who changed nothing changes nothing."""
    assert as_json(merge(base, mine, base, depth=depth).data) == as_json(mine)
    assert as_json(merge(base, base, theirs, depth=depth).data) == as_json(theirs)
    whole = {"x": base}, {"x": mine}, {"x": theirs}
    inner = merge(base, mine, theirs)
    if as_json(mine) != as_json(base) and as_json(theirs) != as_json(base):
        assert as_json(merge(*whole, depth=2).data["x"]) == as_json(inner.data)


@pytest.mark.parametrize("function", [add, append, first, largest, smallest, union])
@given(base=values, mine=values, theirs=values)
def test_no_value_makes_a_function_raise(function: Any, base: Any, mine: Any, theirs: Any) -> None:
    """Another program may have put anything under a key, and a commit must not fail for that."""
    function(base, mine, theirs)


def test_union_keeps_apart_what_json_keeps_apart() -> None:
    """True is not 1, and no value comes twice, whoever put it in."""
    assert union([], [True], [1]) == [1, True]
    assert union([1, 1], [1, 1, 2], [1, 1]) == [1, 2]
