"""What the files of the file store are called, and what stands in them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sessile.stores.base import Record
from sessile.stores.file.layout import compose, is_name, name_of, parse

NODE = json.loads((Path(__file__).parent / "data" / "session-file-store-1.5.json").read_text("utf-8"))["files"]
HOUR = 3_600_000
END = 2_000_003_600_123


@pytest.mark.parametrize("file", NODE, ids=[file["scenario"] for file in NODE])
def test_what_node_wrote_is_written_as_it_was_read(file: Any, golden: Any) -> None:
    """The payload is the one that express gives to every store, and the file comes out again byte for byte."""
    content, sid = file["content"].encode(), file["file"].removesuffix(".json")
    found = parse(sid, content, HOUR)
    assert found is not None
    assert found[0] == sid
    payload = found[1].payload
    assert payload.decode() in [record["payload"] for record in golden["records"]]
    assert compose(sid, payload, round(found[1].expires_at * 1000), HOUR) == content


@pytest.mark.parametrize(
    ("scenario", "end"),
    [
        ("mx", 2_000_003_600.123),
        ("plus1ms", 2_000_003_600.124),
        ("long", 2_003_456_000.123),
        ("nomax", 2_000_003_600.123),
        ("touch, after it", 2_000_003_610.623),
    ],
)
def test_a_session_ends_when_node_ends_it(scenario: str, end: float) -> None:
    """By originalMaxAge, and by the option of the store if there is none."""
    (file,) = [file for file in NODE if file["scenario"] == scenario]
    found = parse(file["file"].removesuffix(".json"), file["content"].encode(), HOUR)
    assert found is not None
    assert found[1].expires_at == end


@pytest.mark.parametrize(
    ("cookie", "life"),
    [
        ('{"originalMaxAge":60000}', 60_000),
        ('{"originalMaxAge":60000.0}', 60_000),
        ('{"originalMaxAge":-60000}', -60_000),
        ('{"originalMaxAge":null}', HOUR),
        ('{"originalMaxAge":0}', HOUR),
        ('{"originalMaxAge":"60000"}', HOUR),
        ('{"originalMaxAge":[]}', HOUR),
        ('{"originalMaxAge":1e400}', HOUR),
        ('{"originalMaxAge":1e300}', HOUR),
        ('{"originalMaxAge":' + "9" * 400 + "}", HOUR),
        ('{"originalMaxAge":60000,"domain":"\\ud800"}', 60_000),
        ("{}", HOUR),
        ("null", HOUR),
        ("7", HOUR),
        ("[60000]", HOUR),
    ],
)
def test_any_cookie_gives_a_life(cookie: str, life: int) -> None:
    """Whatever somebody has put in its place; and what is written for an end is read as that end."""
    content = f'{{"cookie":{cookie},"__lastAccess":1000}}'.encode()
    assert parse("a", content, HOUR) == ("a", Record(f'{{"cookie":{cookie}}}'.encode(), (1000 + life) / 1000))
    written = compose("a", f'{{"cookie":{cookie}}}'.encode(), END, HOUR)
    assert json.loads(written)["__lastAccess"] == END - life
    assert parse("a", written, HOUR) == ("a", Record(f'{{"cookie":{cookie}}}'.encode(), END / 1000))


@pytest.mark.parametrize(
    ("content", "payload"),
    [
        ('{"__lastAccess":7}', "{}"),
        ('{"a":1,"__lastAccess":7}', '{"a":1}'),
        ('{"__lastAccess":7,"a":1}', '{"a":1}'),
        ('{"a":1,"__lastAccess":7,"b":2}', '{"a":1,"b":2}'),
        ('{"a":{"__lastAccess":8},"__lastAccess":7,"b":{"__lastAccess":9,"c":1}}', '{"a":{"__lastAccess":8},"b":{"__lastAccess":9,"c":1}}'),
        ('{"a":[{"__lastAccess":8,"c":1}],"__lastAccess":7,"b":2}', '{"a":[{"__lastAccess":8,"c":1}],"b":2}'),
        (r'{"a":"}\",\"__lastAccess\":8,","__lastAccess":7,"b":"__lastAccess"}', r'{"a":"}\",\"__lastAccess\":8,","b":"__lastAccess"}'),
        (r'{"\\":"\\","__lastAccess":7,"b":2}', r'{"\\":"\\","b":2}'),
        ('{"a":"__lastAccess","__lastAccess":7}', '{"a":"__lastAccess"}'),
        ('{"__sid":1,"__lastAccess":7}', '{"__sid":1}'),
        ('{"__sid":"/w==","__payload":"","__lastAccess":7}', '{"__sid":"/w==","__payload":""}'),
        ('{"__lastAccess":8,"a":1,"__lastAccess":7}', '{"__lastAccess":8,"a":1}'),
        ('{"a":"\\ud800","__lastAccess":7,"b":2}', '{"a":"\\ud800","b":2}'),
        ('{\n  "a": 1,\n  "__lastAccess": 7\n}\n', '{\n  "a": 1}'),
        ('{\n  "__lastAccess": 7,\n  "a": 1\n}', '{\n  \n  "a": 1\n}'),
    ],
)  # fmt: skip
def test_the_key_may_stand_anywhere(content: str, payload: str) -> None:
    """express puts what a handler adds behind what it loaded; and somebody may have used an editor."""
    found = parse("a", content.encode(), HOUR)
    assert found == ("a", Record(payload.encode(), (7 + HOUR) / 1000))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\0" * 4096,
        b"null",
        b"[]",
        b"{}",
        b'{"a":1}',
        b'{"a":{"__lastAccess":7}}',
        b'{"a":"\\"__lastAccess\\":7"}',
        b'{"a":["__lastAccess",7]}',
        b'{"__lastAccess":"7"}',
        b'{"__lastAccess":null}',
        b'{"__lastAccess":7.5}',
        b'{"__lastAccess":1e999}',
        b'{"__lastAccess":' + b"9" * 5000 + b"}",
        b'{"a":{"b":1,"__lastAccess":7}',
        b'{"a":1,"__lastAccess":7',
        b'{"a":1,,"__lastAccess":7}',
        b'{"a":NaN,"__lastAccess":7}',
        b'{"a":"\xff\\ud800","__lastAccess":7}',
        b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b',"__lastAccess":7}',
        b'{"a":"' + b'\\"' * 100_000 + b',"__lastAccess":7,"b":2}',
        b'{"__sid":"Yg==","__payload":"YQ==","__lastAccess":7}',
    ],
)
def test_what_is_no_record_is_none(content: bytes) -> None:
    """Nothing in a file raises, or takes long."""
    assert parse("a", content, HOUR) is None


@given(st.binary() | st.text().map(str.encode), st.text(alphabet=st.characters(exclude_categories=())))
def test_any_payload_comes_back(payload: bytes, sid: str) -> None:
    """Whatever the bytes and whatever the id; and Node can parse the file."""
    content = compose(sid, payload, END, HOUR)
    assert parse(name_of(sid), content, HOUR) == (sid, Record(payload, END / 1000))
    assert type(json.loads(content)["__lastAccess"]) is int


@pytest.mark.parametrize(
    "payload",
    [
        b"{}",
        b"{ }",
        b' {"a":1}',
        b'{"a":1} ',
        b'{"__sid":"YQ==","__payload":"YQ=="}',
        b'{"a":1,"__lastAccess":7}',
        b"{,}",
    ],
)
def test_a_payload_that_looks_like_ours_comes_back(payload: bytes) -> None:
    """Or that is nearly what we look for."""
    assert parse("a", compose("a", payload, END, HOUR), HOUR) == ("a", Record(payload, END / 1000))


keys = st.sampled_from(["cookie", "originalMaxAge", "__lastAccess", "__sid", "__payload", "a", '","__lastAccess":5'])
values = st.recursive(
    st.none() | st.integers() | st.text() | keys | st.sampled_from(["}", "{", "\ud800", "\\"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=4),
)


@given(st.dictionaries(keys, values), st.booleans(), st.sampled_from([None, 2]))
def test_any_session_comes_back(data: Any, escaped: bool, indent: int | None) -> None:
    """Byte for byte, though it looks like what we put around it."""
    payload = json.dumps(data, ensure_ascii=escaped, indent=indent).encode("utf-8", "surrogatepass")
    content = compose("a", payload, END, HOUR)
    assert parse("a", content, HOUR) == ("a", Record(payload, END / 1000))


@given(st.dictionaries(keys, values), st.dictionaries(keys, values))
def test_what_node_puts_around_is_taken_away(before: Any, after: Any) -> None:
    """As JSON it is the session without the key, wherever the key stands."""
    for key in ("__lastAccess", "__sid", *before):
        after.pop(key, None)
    for key in ("__lastAccess", "__sid"):
        before.pop(key, None)
    session = {**before, "__lastAccess": 7, **after}
    found = parse("a", json.dumps(session, separators=(",", ":")).encode(), HOUR)
    assert found is not None
    assert json.loads(found[1].payload) == {**before, **after}


@pytest.mark.parametrize(
    "sid",
    [
        "DVqOYaEKEmQNw4zwSTSwLWLTkR2quQSm",
        "a-_9" * 50,
        "zoë@example.com_4f42",
        "%7Bshop%7D-123",
        "~guest-123",
        "guest 123",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.x-_y",
        "ST-" + "1234567890" * 20,
    ],
)
def test_an_ordinary_id_is_the_name(sid: str) -> None:
    """So Node finds the file, whoever made the id."""
    assert name_of(sid) == sid
    assert is_name(sid)


@pytest.mark.parametrize(
    "sid",
    ["", ".", "..", "a/b", ".a", "a\0", "a\n", " a", "a ", "\ud800", "x" * 236, "ä" * 118, ".sessile", "%" + "0" * 64],
)
def test_any_other_id_is_not(sid: str) -> None:
    """No path, no name that is too long, no file of our own; two ids never have one name."""
    name = name_of(sid)
    assert name != sid
    assert is_name(name)
    assert name.isascii()
    assert name.strip("%").isalnum()
    assert len(name) == 65


@pytest.mark.parametrize("name", ["", ".", ".a", "a/b", "a\n", "\udcff", "x" * 236])
def test_other_files_are_not_ours(name: str) -> None:
    """Their names are no names of records."""
    assert not is_name(name)
