# Headers are put together at random from what matters to a parser: names, values, signatures, JSON, blanks, quotes,
# separators, broken encodings. The seed stands still, so each run has the same ones.
"""sessile.cookies makes of a Cookie header what cookie-parser makes of it."""

from __future__ import annotations

import json
import random
from typing import Any
from urllib.parse import quote

import pytest

from sessile import cookies
from tests.differential.express import Node
from tests.differential.scenarios import SECRETS, token

NAMES = ["a", "b", "theme", "connect.sid", "A", "__Host-a", "constructor", "toString", "__proto__", "", "a b", "é", "1"]
JSONS = [
    '{"a":1}',
    "[]",
    "{}",
    "[1,[2]]",
    "null",
    "0",
    "false",
    "true",
    '""',
    '"x"',
    "1.5",
    "-0",
    "1e3",
    "{",
    "NaN",
    "01",
]
JSONS += ['{"a":1,"a":2}', ' {"b": "é"} ', "[1,]", '"\\ud83d\\ude00"', "'x'", "1e999", "{} x", '{"__proto__":1}']
PLAIN = [
    "",
    "x",
    "dark mode",
    "=",
    "==x=",
    '"quoted"',
    '"',
    '""',
    '"half',
    "%",
    "%zz",
    "%E9",
    "%C3%A9",
    "%00",
    "%2",
    "a%20b",
]
PLAIN += [
    "s:",
    "s:x",
    "s:.",
    "s:x.",
    "s:x.y.z",
    "j:",
    "j",
    "S:x",
    "s%3Ax",
    "x,y",
    "\xff",
    "\x0b",
    "+",
    "%u0041",
    "%2525",
]


def value(chance: random.Random) -> str:
    """Return the value of a cookie."""
    kind = chance.randrange(4)
    if kind == 0:
        return chance.choice(PLAIN)
    if kind == 1:
        text = "j:" + chance.choice(JSONS)
    else:
        text = token(
            chance.choice(["x", "a.b", "", "j:" + chance.choice(JSONS), "é", "s:x"]), chance.choice([*SECRETS, "?"])
        )
        if chance.random() < 0.3:
            text = chance.choice([text[:-1], text + "=", text.replace("+", "-"), text + " ", text.upper(), text[2:]])
    text = quote(text, safe="!*'()") if chance.random() < 0.7 else text.encode("utf-8").decode("latin-1")
    return f'"{text}"' if chance.random() < 0.2 else text


def header(chance: random.Random) -> str:
    """Return a Cookie header."""
    pairs = []
    for _ in range(chance.randrange(1, 6)):
        pair = chance.choice(NAMES) + chance.choice(["=", "=", "=", " = ", "=\t", ""]) + value(chance)
        pairs.append(chance.choice(["", "", " ", "\t", "\xa0"]) + pair)
    return chance.choice(["; ", ";", ";;", " ; "]).join(pairs)


def generated(number: int) -> list[str]:
    chance = random.Random(20231114)
    return [header(chance) for _ in range(number)]


def read(line: str) -> dict[str, Any]:
    """Return what sessile makes of a header, its functions put together as cookie-parser does."""
    found = cookies.parse(line)
    signed = cookies.signed_cookies(found, SECRETS)
    made = {"cookies": cookies.json_cookies(found), "signedCookies": cookies.json_cookies(dict(signed))}
    return json.loads(json.dumps(made).replace("Infinity", '"infinity"'))  # As cookies.js does.


@pytest.fixture(scope="module")
def headers() -> list[str]:
    """Many Cookie headers."""
    return generated(4000)


def test_as_cookie_parser(headers: list[str]) -> None:
    """Every header gives the same cookies, signed cookies and JSON cookies."""
    node = Node("cookies.js")
    theirs = node.ask([headers, SECRETS])
    node.close()
    unlike = [
        f"{line!r}\n  cookie-parser {json.dumps(expected)}\n  sessile      {json.dumps(read(line))}"
        for line, expected in zip(headers, theirs, strict=True)
        if read(line) != expected
    ]
    assert not unlike, f"{len(unlike)} of {len(headers)}\n" + "\n".join(unlike[:5])


def test_the_headers_are_worth_it(headers: list[str]) -> None:
    """Among them are signed cookies that are right and wrong, and JSON that is and is not read."""
    read_all = [read(line) for line in headers]
    signed = [value for each in read_all for value in each["signedCookies"].values()]
    plain = [value for each in read_all for value in each["cookies"].values()]
    assert sum(each is False for each in signed) > 300
    assert sum(isinstance(each, str) for each in signed) > 300
    assert sum(isinstance(each, (dict, list)) for each in [*signed, *plain]) > 300
