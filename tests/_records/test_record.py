"""Payloads: byte for byte what Node writes, read whoever wrote them, and never a reason to fail."""

from __future__ import annotations

import json
import math
import shutil
import subprocess
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any
from uuid import uuid4

import msgspec
import pytest
from hypothesis import HealthCheck, Phase, assume, example, given, settings
from hypothesis import strategies as st

from sessile._records.record import (
    ABSENT,
    COOKIE,
    SYSTEM,
    UNCHANGEABLE,
    Contents,
    decode,
    differs,
    encode,
    encode_changed,
    same,
    stringify,
    written,
)
from sessile._session.lifecycle import new_cookie
from sessile.errors import UnserialisableValue
from sessile.options import CookieOptions

texts = st.text(st.characters()) | st.sampled_from(["", "0", "7", "10", "01", "4294967294", "4294967295", "__proto__"])
scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | st.sampled_from([0.0, -0.0, 1.0, 1e-6, 1e-7, 1e16, 1e20, 1e21, 1e22, 5e-324, 123456789012345680.0, 2**53 + 1])
    | texts
    | st.sampled_from(["\u2028\u2029", '\x7f\x00\x1f\b\f\n\r\t"\\/', "😀", "\ud83d", "\ude00\ud83d", "</script>"])
)
#: Any value that JSON can hold.
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4), max_leaves=12
)
#: The data of a session.
datas = st.dictionaries(texts.filter(lambda key: key not in (COOKIE, SYSTEM)), values, max_size=5)
cookie_attributes = st.none() | st.dictionaries(texts, values, max_size=3)
systems = st.dictionaries(texts, values, max_size=2)


def as_stored(value: Any) -> Any:
    """Return ``value`` as JSON keeps it: no NaN, no infinity, and no point in what JavaScript writes without one."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e21:
        return int(Decimal(repr(value)))
    if isinstance(value, dict):
        return {key: as_stored(item) for key, item in value.items()}
    return [as_stored(item) for item in value] if isinstance(value, list) else value


# What Node writes -----------------------------------------------------------------------------------------------------


def options_of(given: dict[str, Any]) -> CookieOptions | None:
    """Return our options for those of express-session, or None where we refuse what express-session lets through."""
    if given.get("maxAge") is False or given.get("partitioned"):
        given = {**given}
        if given.get("maxAge") is False or not given.get("secure"):
            return None
    return CookieOptions(
        path=given.get("path", "/"),
        domain=given.get("domain"),
        max_age=None if given.get("maxAge") is None else given["maxAge"] / 1000,
        expires=datetime.fromisoformat(given["expires"]) if "expires" in given else None,
        http_only=given.get("httpOnly", True),
        secure=given.get("secure", False),
        same_site=given.get("sameSite"),
        partitioned=given.get("partitioned", False),
        priority=given.get("priority"),
    )


def test_a_new_record_is_that_of_express_session(vectors: Any) -> None:
    """The record of a new session is, byte for byte, what express-session stores for the same cookie options."""
    compared = 0
    for vector in vectors["memory_json"]:
        options = options_of(vector["cookie_options"])
        if options is None or vector["label"].startswith("handler"):
            continue
        stored = decode(vector["json"].encode())
        assert stored is not None
        cookie = new_cookie(options, secure=False, now=vectors["clock_ms"] / 1000)
        assert encode(Contents(stored.data, cookie, {})).decode() == vector["json"], vector["label"]
        compared += 1
    assert compared == 14


def test_every_record_of_express_session_is_written_as_it_was_read(vectors: Any) -> None:
    """Records with what only JavaScript can say (``expires: false``) are read, and written again to the byte."""
    for vector in vectors["memory_json"]:
        payload = vector["json"].encode()
        contents = decode(payload)
        assert contents is not None
        assert encode(contents) == payload
        assert same(contents, payload)


def test_data_alone_is_the_text_that_express_session_hashes(vectors: Any) -> None:
    """Data without the cookie is encoded to the text by whose hash express-session tells whether a session changed."""
    for vector in vectors["hash"]:
        data = {key: value for key, value in vector["session"].items() if key != COOKIE}
        assert encode(Contents(data, None, {})).decode() == vector["hashed_text"]


def test_records_of_eight_stores_are_written_as_they_were_read(golden: Any) -> None:
    """What the stores of Node wrote is read, counts as unchanged, and is written again to the byte."""
    stores = set()
    for record in golden["records"]:
        payload = record["payload"].encode("utf-8", "surrogatepass")
        contents = decode(payload)
        assert contents is not None
        assert contents.data["user"]["name"] == "Zoë Ωmega 漢字 😀"
        assert contents.data["lone"] == "\ud800"
        assert same(contents, payload)
        assert encode(contents) == payload
        stores.update(record["written_by"])
    assert len(stores) == 8


NODE = """
const lines = require("fs").readFileSync(0, "utf8").split("\\n");
process.stdout.write(lines.map((line) => JSON.stringify(JSON.parse(line))).join("\\n"));
"""


def through_node(documents: list[str]) -> list[str]:
    """Return what JSON.stringify makes of JSON.parse of each document."""
    node = shutil.which("node")
    if node is None:
        pytest.fail("this test compares with Node: install Node 18 or later, and have `node` on the PATH")
    answer = subprocess.run([node, "-e", NODE], input="\n".join(documents).encode(), capture_output=True, check=True)
    return answer.stdout.decode("utf-8").split("\n")


def exact_in_javascript(value: Any) -> Any:
    """Return ``value`` with integers that JavaScript would round as the floats that it reads."""
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) > 2**53:
        return float(value)
    if isinstance(value, dict):
        return {key: exact_in_javascript(item) for key, item in value.items()}
    return [exact_in_javascript(item) for item in value] if isinstance(value, list) else value


def test_writes_what_json_stringify_writes() -> None:
    """Hundreds of sessions of every kind are written, byte for byte, as Node itself writes them."""
    samples: list[dict[str, Any]] = []

    @settings(max_examples=150, derandomize=True, database=None, phases=[Phase.generate])
    @given(data=datas, cookie=cookie_attributes)
    def collect(data: dict[str, Any], cookie: dict[str, Any] | None) -> None:
        samples.append(exact_in_javascript(as_stored(data if cookie is None else {COOKIE: cookie, **data})))

    collect()
    for exponent in range(-12, 26):  # Where the notation of numbers changes.
        for digits in (1, -1, 1.5, 9.999999999999999, 1.2345678901234567):
            samples.append({"number": float(f"{digits}e{exponent}")})
    documents = [json.dumps(sample) for sample in samples]
    for sample, theirs in zip(samples, through_node(documents), strict=True):
        cookie = sample.pop(COOKIE, None)
        assert encode(Contents(sample, cookie, {})) == theirs.encode("utf-8")


# Any data -------------------------------------------------------------------------------------------------------------


@given(data=datas, cookie=cookie_attributes, system=systems)
@example(data={"a": 1.0}, cookie=None, system={})
@example(data={"10": 1, "9": 2, "a": 3}, cookie={"path": "/"}, system={"user": "u"})
@example(data={"n": 10**400}, cookie=None, system={})
def test_what_was_encoded_is_decoded(
    data: dict[str, Any], cookie: dict[str, Any] | None, system: dict[str, Any]
) -> None:
    """Any session comes back as it was, and encodes to the same bytes again; it never looks changed."""
    payload = encode(Contents(data, cookie, system))
    contents = decode(payload)
    assert contents == Contents(as_stored(data), as_stored(cookie), as_stored(system))
    assert encode(contents) == payload
    assert same(contents, payload)
    assert same(Contents(data, cookie, system), payload)


@given(data=datas, indent=st.none() | st.integers(0, 3), ascii_only=st.booleans())
def test_another_spelling_is_no_change(data: dict[str, Any], indent: int | None, ascii_only: bool) -> None:
    """A record that another program wrote, with other spacing and escapes, does not look changed when it is read."""
    assume(ascii_only or not any("\ud800" <= letter <= "\udfff" for letter in json.dumps(data, ensure_ascii=False)))
    payload = json.dumps(as_stored(data), indent=indent, ensure_ascii=ascii_only).encode("utf-8")
    contents = decode(payload)
    assert contents is not None
    assert same(contents, payload)


@given(data=datas, key=texts, value=values)
def test_a_change_is_seen(data: dict[str, Any], key: str, value: Any) -> None:
    """Whatever is put under a key, the session looks changed if and only if JSON tells the two apart."""
    assume(key not in (COOKIE, SYSTEM))
    payload = encode(Contents(data, None, {}))
    contents = decode(payload)
    assert contents is not None
    contents.data[key] = value
    assert same(contents, payload) == (stringify(contents.data) == stringify(data))


@pytest.mark.parametrize(
    ("before", "after"),
    [(1, True), (0, False), (None, False), ("", None), ([], {}), ([[]], [[], []]), ({"a": 1}, {"a": 1, "b": None})],
)
def test_values_that_python_finds_equal_are_told_apart(before: Any, after: Any) -> None:
    """True is not 1: what JSON writes differently is a change, though Python may call the two equal."""
    payload = encode(Contents({"k": [before]}, None, {}))
    assert not same(Contents({"k": [after]}, None, {}), payload)


def test_a_nested_change_is_seen() -> None:
    """A change at any depth is a change, without a flag to set."""
    payload = b'{"cart":{"items":[{"sku":1,"n":1}]}}'
    contents = decode(payload)
    assert contents is not None
    contents.data["cart"]["items"][0]["n"] += 1
    assert not same(contents, payload)


def test_whole_floats_are_integers() -> None:
    """A float without a fraction is written as JavaScript does, 1 for 1.0, and comes back equal."""
    assert encode(Contents({"a": 1.0, "b": -0.0, "c": 1e21, "d": 1e20}, None, {})) == (
        b'{"a":1,"b":0,"c":1e+21,"d":100000000000000000000}'
    )


def test_large_whole_floats_come_back_as_integers_of_the_same_float() -> None:
    """Beyond 2**53 JavaScript's digits for a float are rounded, so the integer read is equal once it is a float."""
    contents = decode(encode(Contents({"a": 4.320443616287599e16}, None, {})))
    assert contents is not None
    assert contents.data["a"] == 43204436162875990
    assert float(contents.data["a"]) == 4.320443616287599e16


def test_large_integers_are_written_in_full() -> None:
    """An integer beyond 2**53 is kept exactly, for Python's sake."""
    payload = encode(Contents({"id": 2**64 + 1}, None, {}))
    assert payload == b'{"id":18446744073709551617}'
    contents = decode(payload)
    assert contents is not None
    assert contents.data == {"id": 2**64 + 1}


# Any bytes ------------------------------------------------------------------------------------------------------------

#: Text that looks like a record, until one looks closely.
almost = st.builds(
    lambda payload, position, noise: (
        payload[: position % (len(payload) + 1)] + noise + payload[position % (len(payload) + 1) :]
    ),
    datas.map(lambda data: json.dumps({COOKIE: {"expires": None}, **data}).encode()),
    st.integers(0, 2**16),
    st.binary(max_size=2) | st.sampled_from([b"[", b"{", b'"', b"\\ud800", b"\xff", b"NaN", b"1e999", b"-", b"}"]),
)


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(st.binary() | almost | values.map(lambda value: json.dumps(value).encode()))
@example(b'{"n":1e999}')
@example(b'{"n":-1e999,"lone":"\\ud800"}')
@example(b'{"n":' + b"9" * 5000 + b"}")
@example(b"\xff\xfe{\x00}\x00")
@example(b'{"lone":"\xed\xa0\x80"}')
@example(b'{"a":' + b"[" * 199 + b"]" * 199 + b"}")
@example(b'{"a":' + b"[" * 250 + b"]" * 250 + b"}")
@example(b'{"a": ' + b"[" * 600 + b"1.0" + b"]" * 600 + b"}")
@example(b'{"cookie":{"a":' + b"[" * 600 + b"]" * 600 + b"}}")
@example(b'{"cookie":null,"sessile":7}')
@example(b'{"a":1,"a":2,"cookie":{},"cookie":{}}')
def test_no_bytes_raise(payload: bytes) -> None:
    """Any bytes in place of a record are read as nothing, or as contents that look unchanged and can be written."""
    contents = decode(payload)
    if contents is None:
        return
    assert same(contents, payload)
    again = decode(encode(contents))
    assert again is not None
    assert encode(again) == encode(contents)


@pytest.mark.parametrize(
    "payload",
    [
        b"", b"null", b"[]", b"1", b'""', b"{", b'{"a":}', b"{a:1}", b'{"a":NaN}', b'{"a":Infinity}', b'{"cookie":1}',
        b'{"cookie":[]}', b'{"a":1}x', b"\x00", b"\xff", b"gASV", b"[" * 1_000_000, b'{"a":' * 300_000,
    ],
    ids=lambda payload: repr(payload[:14]),
)  # fmt: skip
def test_what_is_no_record_is_corrupt(payload: bytes) -> None:
    """Bytes that hold no JSON object, or a cookie that is no object, are no session."""
    assert decode(payload) is None


def test_contents_are_taken_apart() -> None:
    """The cookie and our own fields are no part of the handler's data."""
    assert decode(b'{"cookie":{"path":"/"},"sessile":{"user":"u"},"a":1}') == Contents(
        {"a": 1}, {"path": "/"}, {"user": "u"}
    )
    assert decode(b'{"a":1}') == Contents({"a": 1}, None, {})


def test_our_own_fields_are_absent_while_there_is_nothing_to_say() -> None:
    """A record of which we have nothing to say is one that express-session could have written."""
    assert encode(Contents({"a": 1}, {"path": "/"}, {})) == b'{"cookie":{"path":"/"},"a":1}'
    assert encode(Contents({}, None, {"user": 1})) == b'{"sessile":{"user":1}}'
    assert encode(Contents({}, {}, {})) == b'{"cookie":{}}'


# What cannot be stored ------------------------------------------------------------------------------------------------


class Plain:
    """An object of the program's own."""


class Colour(Enum):
    RED = "red"


@pytest.mark.parametrize(
    "value",
    [
        datetime(2024, 1, 1, tzinfo=UTC), date(2024, 1, 1), timedelta(1), Decimal("1.5"), uuid4(), b"bytes",
        bytearray(b"b"), {1}, frozenset(), Plain(), Plain, Colour.RED, 1j, object(), range(3), len, msgspec.UNSET,
    ],
    ids=lambda value: type(value).__name__,
)  # fmt: skip
def test_what_would_not_come_back_is_refused(value: Any) -> None:
    """A value that JSON has no notation for is refused, at any depth, with its place and its type in the message."""
    with pytest.raises(UnserialisableValue) as caught:
        encode(Contents({"a": 1, "cart": {"items": [0, value]}}, {"path": "/"}, {}))
    assert caught.value.path == "session['cart']['items'][1]"
    assert str(caught.value).startswith("session['cart']['items'][1] is a")
    assert type(value).__name__ in str(caught.value)
    assert repr(value) not in str(caught.value)


@pytest.mark.parametrize("key", [None, True, 1.5, b"k", (1, 2), datetime(2024, 1, 1, tzinfo=UTC), Colour.RED])
def test_keys_are_text(key: Any) -> None:
    """A key that is neither text nor an integer would come back as another, and is refused."""
    with pytest.raises(UnserialisableValue, match="the keys of JSON are text"):
        encode(Contents({"a": {key: 1}}, None, {}))
    with pytest.raises(UnserialisableValue, match="the keys of JSON are text"):
        encode(Contents({key: 1}, None, {}))


def test_integer_keys_become_text() -> None:
    """As in the JSON of Django, Flask and Starlette: a basket of product ids, at any depth."""
    contents = Contents({"cart": {7: 2, "x": [{-1: None}]}}, None, {})
    assert encode(contents) == b'{"cart":{"7":2,"x":[{"-1":null}]}}'
    assert same(contents, encode(contents))


@pytest.mark.parametrize("key", [COOKIE, SYSTEM])
@pytest.mark.parametrize("cookie", [None, {"path": "/"}])
def test_reserved_keys_are_refused(key: str, cookie: dict[str, Any] | None) -> None:
    """The keys that the record needs itself are refused on the top level, and allowed below it."""
    with pytest.raises(UnserialisableValue, match="is a reserved key of the record"):
        encode(Contents({key: {"a": 1}}, cookie, {}))
    assert decode(encode(Contents({"a": {key: 1}}, cookie, {}))) == Contents({"a": {key: 1}}, cookie, {})


def test_what_contains_itself_is_refused() -> None:
    """A loop is refused, whether it goes through a list or a dict."""
    loop: list[Any] = []
    loop.append(loop)
    ring: dict[str, Any] = {}
    ring["next"] = {"next": ring}
    for value in (loop, ring):
        with pytest.raises(UnserialisableValue, match="contains itself"):
            encode(Contents({"a": value}, None, {}))


@pytest.mark.parametrize("brackets", ["[]", '{"k":}'])
@pytest.mark.parametrize("filling", ["", "0" * 500])
def test_depth_is_limited_both_ways_alike(brackets: str, filling: str) -> None:
    """What can be written can be read, and what is too deep to be written is no record when it is read."""
    opening, closing = ("[", "]") if brackets == "[]" else ('{"k":', "}")
    for depth in (1, 150, 198, 199, 200, 201, 202, 300, 700):
        inner = "[]" if brackets == "[]" else "{}"
        text = '{"a":' + opening * (depth - 1) + inner + closing * (depth - 1) + ',"b":"' + filling + '"}'
        whole = json.loads(text)
        try:
            payload = encode(Contents(whole, None, {}))
        except UnserialisableValue:
            assert depth > 200
            assert decode(text.encode()) is None
        else:
            assert depth <= 200
            assert decode(payload) == Contents(whole, None, {})


def test_a_wide_record_is_not_deep() -> None:
    """Many containers side by side are no nesting, however many there are."""
    data = {"rows": [{"cells": [[]]} for _ in range(1000)]}
    contents = decode(encode(Contents(data, None, {})))
    assert contents is not None
    assert contents.data == data


def test_tuples_become_lists() -> None:
    """A tuple is stored as a list, as JSON has one kind of sequence."""
    assert encode(Contents({"a": (1, (2,))}, None, {})) == b'{"a":[1,[2]]}'


def test_too_many_digits_are_refused() -> None:
    """An integer with more digits than the interpreter would read back is refused, with its place."""
    with pytest.raises(UnserialisableValue, match=r"session\['n'\] is an integer of too many digits"):
        encode(Contents({"n": 10**5000}, None, {}))


def test_not_a_number_becomes_null() -> None:
    """NaN and the infinities are written as null, as JSON.stringify does."""
    assert encode(Contents({"a": [math.nan, math.inf, -math.inf]}, None, {})) == b'{"a":[null,null,null]}'


@pytest.mark.parametrize("text", ["[{", "}]", '\\"[', "\\\\", '"'])
def test_brackets_in_texts_hide_no_depth(text: str) -> None:
    """What is nested too deep is refused whatever brackets its texts hold, and a long flat list never is."""
    quoted = json.dumps(text)
    deep = '{"a":' + f"{{{quoted}:" * 300 + "1" + "}" * 301
    assert decode(deep.encode()) is None
    flat = '{"a":[' + ",".join([f'{{"b":[{quoted}]}}'] * 500) + "]}"
    assert decode(flat.encode()) is not None


# What was stored of the keys that may differ ---------------------------------------------------------------------------


def remembered(data: dict[str, Any], keys: Any) -> dict[str, Any]:
    """Return what a session remembers of ``keys`` before they are changed."""
    found = {key: data.get(key, ABSENT) for key in keys}
    return {
        key: value if value is ABSENT or value.__class__ in UNCHANGEABLE else written(value)
        for key, value in found.items()
    }


@given(datas, st.data())
def test_what_was_remembered_tells_what_the_whole_comparison_tells(data: dict[str, Any], draw: st.DataObject) -> None:
    """Looking at the touched keys alone gives no other answer, and writing on their word no other bytes."""
    payload = encode(Contents(data, {"path": "/"}, {}))
    contents = decode(payload)
    assert contents is not None
    stored = contents.data
    keys = texts.filter(lambda key: key not in (COOKIE, SYSTEM)) | st.sampled_from(sorted(stored) or ["a"])
    news = values | st.sampled_from([*stored.values(), 1, 1.0, True, (1,), [1.0], {"5": 1, "4": 2}])
    changes = draw.draw(st.dictionaries(keys, news, max_size=3))
    before = remembered(stored, changes)
    stored.update(changes)
    assert differs(stored, before) in (None, not same(contents, payload))
    assert encode_changed(contents, before) == encode(contents)


@pytest.mark.parametrize("value", [datetime.now(UTC), b"text", {1, 2}, object(), {"a": [Decimal(1)]}])
def test_what_json_cannot_hold_is_found_among_the_touched_keys(value: Any) -> None:
    """Whether it was set or put into a value that was handed out."""
    contents = Contents({"a": [1], "b": value}, None, {})
    with pytest.raises(UnserialisableValue):
        encode_changed(contents, {"b": ABSENT})
    with pytest.raises(UnserialisableValue):
        encode_changed(contents, {"b": written([1])})


def test_a_reserved_key_is_found_among_the_touched_keys() -> None:
    """Its value would stand in the place of the cookie's attributes."""
    with pytest.raises(UnserialisableValue):
        encode_changed(Contents({COOKIE: 1}, None, {}), {COOKIE: ABSENT})
