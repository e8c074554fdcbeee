"""System fields are ours, or they are ignored."""

from __future__ import annotations

import json
import subprocess
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sessile._records.fields import UNTRUSTED, SystemFields
from sessile._records.record import Contents, decode, encode

FIELDS = SystemFields([b"new", b"old"], str)

values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=True) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def checked(system: dict[str, Any], fields: SystemFields = FIELDS) -> Contents:
    contents = Contents({}, None, system)
    fields.check(contents)
    return contents


@given(st.dictionaries(st.text(), values, min_size=1, max_size=4))
def test_what_was_sealed_is_ours_after_it_was_stored(system: dict[str, Any]) -> None:
    """In whatever way JSON spells it: a float that is whole comes back as an int, NaN as null."""
    stored = decode(encode(Contents({}, None, FIELDS.sealed(system, "sid"))))
    assert stored is not None
    FIELDS.check(stored)
    assert stored.system is not UNTRUSTED


def test_it_survives_node() -> None:
    """JSON.parse and JSON.stringify change the form of numbers, and the order of keys that look like integers."""
    system = {"user": 7, "auth_time": 1.0, "claims": {"b": -0.0, "10": 1e21, "2": [1.50, 1e-7, "\u2028é"]}}
    text = json.dumps(FIELDS.sealed(system, "sid"))
    script = "process.stdout.write(JSON.stringify(JSON.parse(process.argv[1])))"
    back = subprocess.run(["node", "-e", script, text], capture_output=True, check=True).stdout
    assert b'"auth_time":1,' in back
    assert checked(json.loads(back)).system is not UNTRUSTED


def test_it_rotates_with_the_secrets() -> None:
    """The first makes it, all are accepted; after one was taken away, what it had sealed is ignored."""
    before, after = SystemFields([b"old"], str), SystemFields([b"new"], str)
    system = before.sealed({"user": "zoe"}, "sid")
    assert checked(dict(system)).system == system
    assert checked(dict(system), after).system is UNTRUSTED
    assert checked(FIELDS.sealed({"user": "zoe"}, "sid"), after).system is not UNTRUSTED


@pytest.mark.parametrize("mac", [None, 7, "", "x", "é", "\ud800", ["x"]])
def test_without_a_seal_they_are_ignored(mac: Any) -> None:
    assert checked({"user": "zoe"}).system is UNTRUSTED
    assert checked({"user": "zoe", "mac": mac}).system is UNTRUSTED


@pytest.mark.parametrize(("name", "value"), [("user", "max"), ("auth_time", 2), ("claims", {}), ("more", 1)])
def test_a_change_of_any_field_breaks_it(name: str, value: Any) -> None:
    system = FIELDS.sealed({"user": "zoe", "auth_time": 1, "claims": {"a": 1}}, "sid")
    assert checked({**system, name: value}).system is UNTRUSTED
    del system["claims"]
    assert checked(system).system is UNTRUSTED


def test_it_does_not_bind_the_id_but_names_it() -> None:
    """Node may move the fields to a new id; then the session is entered under that."""
    fields = SystemFields([b"new"], str)
    fields.enters = True
    system = fields.sealed({"user": "zoe"}, "sid")
    assert (fields.is_entered(system, "sid"), fields.is_entered(system, "other")) == (True, False)
    assert fields.is_entered({"created": 1}, "other")


@given(st.dictionaries(st.text(), values, min_size=1, max_size=4))
def test_a_remembered_mac_is_that_of_the_same_fields(system: dict[str, Any]) -> None:
    """Whether it is computed or remembered, and in whatever order the fields come."""
    fresh = SystemFields([b"new", b"old"], str)
    sealed = FIELDS.sealed(system, "sid")
    turned = dict(reversed(sealed.items()))
    for fields in (FIELDS, fresh, fresh):
        assert checked(turned, fields).system is not UNTRUSTED
        assert checked({**turned, "mac": "forged"}, fields).system is UNTRUSTED
