"""What stands in a document of connect-mongo, and what that is as a record."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import bson
import pytest
from bson import json_util
from bson.datetime_ms import DatetimeMS
from bson.decimal128 import Decimal128
from bson.int64 import Int64
from bson.objectid import ObjectId
from bson.regex import Regex
from hypothesis import given
from hypothesis import strategies as st

from sessile._records.record import stringify
from sessile.stores.mongodb.document import LAST_MOMENT, OPTIONS, id_of, payload_of, record_of, sid_of, value_of

GOLDEN = json.loads((Path(__file__).parent / "data" / "connect-mongo-6.json").read_text("utf-8"))
CASES = [(options, name) for options, documents in GOLDEN["documents"].items() for name in documents]
EXTENDED = json_util.JSONOptions(
    json_mode=json_util.JSONMode.CANONICAL, datetime_representation=json_util.DatetimeRepresentation.NUMBERLONG
)


def through_bson(document: dict[str, Any]) -> dict[str, Any]:
    """Return what the store reads after ``document`` was written."""
    return bson.decode(bson.encode(document, codec_options=OPTIONS), OPTIONS)


def golden(options: str, name: str) -> dict[str, Any]:
    document = json_util.loads(json.dumps(GOLDEN["documents"][options][name]), json_options=EXTENDED)
    return through_bson(document)


@pytest.mark.parametrize(("options", "name"), CASES, ids=[f"{options} {name}" for options, name in CASES])
def test_what_node_wrote_is_written_as_it_was_read(options: str, name: str) -> None:
    """The same BSON, byte for byte: text and objects, dates, doubles, nulls, the order of the fields."""
    document = golden(options, name)
    record = record_of(document)
    assert record is not None
    stringified = options != "stringify: false"
    again = {**document, "session": value_of(record.payload, stringified, document["session"])}
    assert bson.encode(again, codec_options=OPTIONS) == bson.encode(document, codec_options=OPTIONS)


@pytest.mark.parametrize(("options", "name"), CASES, ids=[f"{options} {name}" for options, name in CASES])
def test_it_ends_when_node_ends_it(options: str, name: str) -> None:
    """By the field `expires`, to the millisecond, whatever the cookie says."""
    end = {
        "nomax": 2_001_209_600.123,
        "long": 2_003_456_000.123,
        "plus1ms": 2_000_003_600.124,
        "touch, touched": 2_000_003_610.623,
    }
    assert record_of(golden(options, name)).expires_at == end.get(name, 2_000_003_600.123)


def test_text_and_object_of_one_session_are_nearly_the_same_payload() -> None:
    """They differ in what Node's driver lost: explicit nulls in the cookie, undefined, a lone surrogate."""
    text = json.loads(record_of(golden("plain", "mx")).payload)
    whole = json.loads(record_of(golden("stringify: false", "mx")).payload)
    nulls = dict.fromkeys(("partitioned", "priority", "secure", "domain", "sameSite"))
    assert whole.pop("cookie") == {**text.pop("cookie"), **nulls}
    assert whole.pop("undef") is None
    assert (whole.pop("lone"), text.pop("lone")) == ("\ufffd", "\ud800")
    assert whole == text


def test_what_we_create_is_what_nodes_driver_would_make_of_it() -> None:
    """Small integers, doubles beyond them, and the end of the cookie as a date."""
    payload = b'{"cookie":{"originalMaxAge":3456000000,"expires":"2033-05-18T04:33:20.123Z"},"n":1,"x":1.5,"e":1e+21}'
    value = value_of(payload, False)
    assert value == {
        "cookie": {"originalMaxAge": 3456000000.0, "expires": DatetimeMS(2000003600123)},
        "n": 1,
        "x": 1.5,
        "e": 1e21,
    }
    assert type(value["cookie"]["originalMaxAge"]) is float
    assert type(value["n"]) is int
    assert payload_of(value) == payload


@pytest.mark.parametrize(
    ("number", "kind"),
    [
        (2**31 - 1, int),
        (-(2**31), int),
        (2**31, float),
        (2**53, float),
        (2**53 + 1, Int64),
        (-(2**53) - 1, Int64),
        (10**20, float),
        (2**63 - 1, Int64),
    ],
)
def test_integers_are_exact(number: int, kind: type) -> None:
    """A double where JavaScript would write the same digits; else all sixty-four bits."""
    payload = b'{"n":%d}' % number
    value = value_of(payload, False)
    assert type(value["n"]) is kind
    assert payload_of(through_bson({"session": value})["session"]) == payload


DEEP = b'{"a":' * 110 + b"1" + b"}" * 110


@pytest.mark.parametrize(
    "payload",
    [
        b'{"a": 1}',
        b'{"a":1.0}',
        b'{"a":1,"a":2}',
        b'{"b":1,"2":1}',
        rb'{"lone":"\ud800"}',
        rb'{"a":"\u0041"}',
        b'{"$ne":1}',
        b'{"a":{"$where":"x"}}',
        rb'{"a\u0000b":1}',
        b'{"n":123456789012345678901}',
        b"[1]",
        b"1",
        b"null",
        b"",
        DEEP,
        b"[" * 100_000,
    ],
    ids=range(16),
)
def test_what_an_object_would_not_bring_back_is_text(payload: bytes) -> None:
    """So nothing is lost, and nothing in it is an operator."""
    assert value_of(payload, False) == payload.decode()
    assert payload_of(payload.decode()) == payload


def test_what_is_not_text_is_bytes() -> None:
    """In both forms."""
    assert value_of(b"\xff\x00", True) == value_of(b"\xff\x00", False) == b"\xff\x00"
    assert payload_of(through_bson({"session": b"\xff\x00"})["session"]) == b"\xff\x00"


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda children: st.lists(children, max_size=4) | st.dictionaries(st.text(), children, max_size=4),
    max_leaves=12,
)


@given(data=st.dictionaries(st.text(), VALUES, max_size=5), stringified=st.booleans())
def test_whatever_goes_in_comes_back(data: dict[str, Any], stringified: bool) -> None:
    """Byte for byte, through real BSON."""
    payload = stringify(data).encode()
    document = through_bson({"session": value_of(payload, stringified)})
    assert payload_of(document["session"]) == payload


@given(payload=st.binary(), stringified=st.booleans())
def test_so_do_any_bytes(payload: bytes, stringified: bool) -> None:
    """A store does not look into what it keeps."""
    assert payload_of(through_bson({"session": value_of(payload, stringified)})["session"]) == payload


def test_what_is_the_same_keeps_its_type() -> None:
    """Node's dates stay dates when a neighbour changes, and become text only where they do."""
    old = {
        "when": DatetimeMS(0),
        "list": [DatetimeMS(1), 1.0, "x"],
        "deep": {"id": ObjectId("0123456789abcdef01234567"), "nan": float("nan"), "zero": -0.0},
        "gone": 1,
        "n": Int64(1),
        "other": DatetimeMS(2),
    }
    payload = json.loads(payload_of(old))
    assert payload["deep"] == {"id": "0123456789abcdef01234567", "nan": None, "zero": 0}
    del payload["gone"]
    payload.update(n=2, other="text", new=True)
    payload["list"].append("y")
    value = value_of(stringify(payload).encode(), False, old)
    assert value == {
        "when": DatetimeMS(0),
        "list": [DatetimeMS(1), 1.0, "x", "y"],
        "deep": old["deep"],
        "n": 2,
        "other": "text",
        "new": True,
    }
    assert str(value["deep"]["zero"]) == "-0.0"
    assert value_of(b'{"n":true}', False, {"n": 1})["n"] is True


@pytest.mark.parametrize(
    ("moment", "text"),
    [
        (0, "1970-01-01T00:00:00.000Z"),
        (-1, "1969-12-31T23:59:59.999Z"),
        (253_402_300_800_000, "+010000-01-01T00:00:00.000Z"),
        (-62_198_755_200_000, "-000001-01-01T00:00:00.000Z"),
        (-62_135_596_800_001, "0000-12-31T23:59:59.999Z"),
        (LAST_MOMENT, "+275760-09-13T00:00:00.000Z"),
        (-LAST_MOMENT, "-271821-04-20T00:00:00.000Z"),
        (LAST_MOMENT + 1, None),
        (2**63 - 1, None),
    ],
)
def test_any_date_is_read_as_javascript_writes_it(moment: int, text: str | None) -> None:
    """The values are those of ``new Date(moment).toJSON()``."""
    assert json.loads(payload_of(through_bson({"session": {"d": DatetimeMS(moment)}})["session"])) == {"d": text}


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"session": None},
        {"session": 1},
        {"session": ["{}"]},
        {"session": DatetimeMS(0)},
        {"session": "{}", "expires": "2033-05-18T04:33:20.123Z"},
        {"session": "{}", "expires": None},
        {"session": "{}", "expires": 2000003600123},
    ],
)
def test_a_corrupt_document_is_no_session(document: dict[str, Any]) -> None:
    """And no error."""
    assert record_of(through_bson(document)) is None


def test_a_document_without_an_end_lives_on() -> None:
    """As in connect-mongo; unknown fields are nobody's business."""
    record = record_of(through_bson({"session": "{}", "lastModified": DatetimeMS(0), "mine": {"a": 1}}))
    assert (record.payload, record.expires_at) == (b"{}", LAST_MOMENT / 1000)


def test_types_that_json_does_not_know_are_text() -> None:
    """Nothing that somebody put into a document raises."""
    odd = {"r": Regex("a"), "d": Decimal128("1.5"), "b": b"zo\xc3\xab", "e": DatetimeMS(9 * 10**15)}
    assert json.loads(payload_of(through_bson({"session": odd})["session"])) == {
        "r": "Regex('a', 0)",
        "d": "1.5",
        "b": "em/Dqw==",
        "e": None,
    }


@pytest.mark.parametrize("sid", ["", "DVqOYaEKEmQNw4zwSTSwLWLTkR2quQSm", "$ne", "a\x00b", "漢字", "\ud800", "\\ud800"])
def test_an_id_is_itself(sid: str) -> None:
    """Where text is no UTF-8 it is bytes, which are nobody else's id."""
    identity = through_bson({"_id": id_of(sid)})["_id"]
    assert sid_of(identity) == sid
    assert isinstance(identity, str) is (sid != "\ud800")


@pytest.mark.parametrize("identity", [ObjectId(), 1, None, b"\xff", {"a": 1}])
def test_other_ids_are_none_of_ours(identity: object) -> None:
    """They are left alone."""
    assert sid_of(identity) is None
