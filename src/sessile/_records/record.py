# The payload of a record is the JSON that express-session writes: {"cookie": {...}, ...data}. What sessile has to
# say itself stands under one more reserved key, "sessile", and is absent while there is nothing to say.
#
# Two writers of JSON live here. msgspec's is fast, and right for nearly every session. JavaScript's is what
# JSON.stringify does: other notation for some floats, integer-like keys first, lone surrogates escaped, NaN as null.
# It is needed rarely, so `encode` takes the fast one and looks at what came out.
#
# Whether a session changed is decided by encoding it again and comparing bytes: for 300 bytes that costs half a
# microsecond, and it sees every nested change. Where the keys that may differ are known, only these are compared.
# Bytes that another program wrote may differ from ours in form only, so inequality is looked at a second time before
# it counts as a change.
"""Turn the data of a session into the payload of a record, and back."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, TypeAlias

import msgspec

from sessile.errors import UnserialisableValue

__all__ = [
    "ABSENT",
    "AUTHENTICATED",
    "CLAIMS",
    "COOKIE",
    "CREATED",
    "INDEXED",
    "INDEXES",
    "JSON",
    "NAME",
    "REMEMBERED",
    "RENEWED",
    "SYSTEM",
    "UNCHANGEABLE",
    "USER",
    "Contents",
    "decode",
    "differs",
    "encode",
    "encode_changed",
    "largest_key",
    "same",
    "written",
]

#: A value that JSON can hold: None, bool, int, float, str, and lists and dicts of them. Type checkers see Any: a
#: recursive type would refuse ``session["views"] + 1``.
JSON: TypeAlias = Any

#: The key of the cookie's attributes in a payload (express-session).
COOKIE = "cookie"
#: The key of our own fields in a payload.
SYSTEM = "sessile"

#: Our own fields: when the session began, who is logged in and since when, what else was said at the log-in, other
#: indexes in which it is entered, when it got its present id, and whether its visitor is to be remembered. Then: since
#: when it belongs in each of the other indexes, and what it is called whatever its id.
CREATED, USER, AUTHENTICATED, CLAIMS, INDEXES = "created", "user", "auth_time", "claims", "index"
RENEWED, REMEMBERED = "renewed", "remembered"
INDEXED, NAME = "indexed", "name"


def _plain_float(literal: str) -> float:
    """Read a float that JavaScript writes like msgspec; refuse one that it writes otherwise (1.0, 1e16)."""
    if literal.endswith(".0") or "e" in literal:
        raise ValueError
    return float(literal)


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder()
_checking_decoder = msgspec.json.Decoder(float_hook=_plain_float)

#: Where a text might hold a float that JavaScript writes otherwise. Without one, no float has to be looked at.
_ODD_FRACTIONS = re.compile(rb"\.0[],}]")
#: It begins with one letter, which is found ten times as fast as one of several.
_EXPONENTS = re.compile(rb"e(?<=[0-9]e)[-+0-9]")
#: What only JavaScript's writer gets right, beside some floats: the order of integer-like keys.
_INTEGER_KEYS = re.compile(rb'"(?:0|[1-9][0-9]*)":')
_INTEGER_KEY = re.compile(r"0|[1-9]\d{0,9}")
_TEXTS = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)
_OTHERS = bytes(set(range(256)) - set(b"[]{}"))
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")

#: ECMA-262 6.1.7: an integer index, and so sorted first, is at most 2**32 - 2.
_LARGEST_INDEX = 2**32 - 2

#: Deeper nesting than this is refused in both directions. Interpreters give up somewhere near 1000.
_MAX_DEPTH = 200
#: No shorter text is nested deeper: each level takes an opening and a closing bracket.
_SHALLOW = 2 * _MAX_DEPTH
#: A value that takes no more bytes than this cannot be nested deeper than the rest allows, two levels up.
_PLAIN = _SHALLOW - 4


class Contents(msgspec.Struct, gc=False):
    """What a payload holds, taken apart."""

    #: The data of the session, the handler's own.
    data: dict[str, JSON]
    #: The cookie's attributes as stored, in camelCase. None if the record has none.
    cookie: dict[str, JSON] | None
    #: Our own fields.
    system: dict[str, JSON]

    def __repr__(self) -> str:
        return f"<Contents {dict.__len__(self.data)} keys>"


def decode(payload: bytes) -> Contents | None:
    """Take a payload apart. Return None if it is corrupt; no input raises, and work is linear in its length."""
    try:
        whole = _decoder.decode(payload)
    except RecursionError:
        return None
    except (msgspec.MsgspecError, UnicodeDecodeError):
        whole = _decode_leniently(payload)
    if type(whole) is not dict or (len(payload) > _SHALLOW and _too_deep(payload, whole)):
        return None  # What could not be written again must not be read: a handler would pay for it.
    cookie = whole.pop(COOKIE, None)
    if type(cookie) is not dict and cookie is not None:
        return None
    system = whole.pop(SYSTEM, None)
    return Contents(whole, cookie, system if type(system) is dict else {})


def _decode_leniently(payload: bytes) -> object:
    # Node escapes lone surrogates, which are legal JSON and which msgspec refuses.
    try:
        return json.loads(payload, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return None


def _too_deep(text: bytes, whole: JSON) -> bool:
    """Tell whether ``whole``, which ``text`` spells, is nested too deep to be written again."""
    if text.count(b"[") + text.count(b"{") <= _MAX_DEPTH:
        return False
    # A long list of small things is the usual case: without its texts, each of these takes away the innermost level.
    brackets = (b"".join(text.split(b'"')[::2]) if b"\\" not in text else _TEXTS.sub(b"", text)).translate(
        None, _OTHERS
    )
    for _ in range(_MAX_DEPTH // 2):
        inner = brackets.replace(b"{}", b"").replace(b"[]", b"")
        if not inner:
            return False
        if len(inner) > len(brackets) * 3 // 4:
            break  # A few things that are nested deep: those are walked through faster.
        brackets = inner
    level = [whole]
    for _ in range(_MAX_DEPTH + 1):
        level = [
            child
            for value in level
            if isinstance(value, (dict, list, tuple))
            for child in (value.values() if isinstance(value, dict) else value)
        ]
        if not level:
            return False
    return True


def _refuse(name: str) -> object:
    raise ValueError(f"{name} is not JSON")


def encode(contents: Contents) -> bytes:
    """Put a payload together, byte for byte as ``JSON.stringify`` would.

    Raises UnserialisableValue, naming the place, for what would not come back as it is: datetimes, bytes, sets,
    objects, keys that are neither text nor integers, the reserved keys. Integer keys become text. NaN and the
    infinities become null, as in JavaScript; tuples become lists; integers are written in full, though Node reads those
    beyond 2**53 rounded.
    """
    try:
        text = _compose(contents)
        whole = _whole(contents)
        if (
            (_checking_decoder if _ODD_FRACTIONS.search(text) or _EXPONENTS.search(text) else _decoder).decode(text)
            == whole
            and not _INTEGER_KEYS.search(text)
            and (len(text) <= _SHALLOW or not _too_deep(text, whole))
        ):
            return text
    except (TypeError, ValueError, RecursionError, msgspec.MsgspecError):
        pass  # The careful writer names the place, or can write it.
    return stringify(_whole(contents)).encode("utf-8")


def encode_changed(contents: Contents, before: dict[str, JSON]) -> bytes:
    """Do what ``encode`` does, for data that a payload held but for the keys that ``before`` has (see ``differs``)."""
    data = contents.data
    if COOKIE in before or SYSTEM in before:
        return encode(contents)
    try:
        text = _compose(contents)
        if _INTEGER_KEYS.search(text):
            return encode(contents)
        if _ODD_FRACTIONS.search(text) or _EXPONENTS.search(text):
            _checking_decoder.decode(text)
        for key in before:
            value = dict.get(data, key)
            if value.__class__ not in UNCHANGEABLE:
                part = _encoder.encode(value)
                if _decoder.decode(part) != value or (len(part) > _PLAIN and _too_deep(text, {"": value})):
                    return encode(contents)
    except (TypeError, ValueError, RecursionError, msgspec.MsgspecError):
        return encode(contents)
    return text


def same(contents: Contents, payload: bytes) -> bool:
    """Tell whether ``payload`` holds the data of ``contents``, whoever wrote it and in whatever form.

    Raises UnserialisableValue if that cannot be told, because the data is nothing that JSON can hold.
    """
    data = contents.data
    try:
        if _compose(contents) == payload:
            return True
    except (TypeError, ValueError, RecursionError):
        pass  # The careful writer, below, says what is wrong.
    stored = decode(payload)
    if stored is None:
        return False
    try:
        text = _encoder.encode(data)
        if _encoder.encode(stored.data) == text:
            return True
        # Where JavaScript writes what msgspec does, that settles it; elsewhere 1.0 and 1 are one.
        if not _INTEGER_KEYS.search(text):
            if _ODD_FRACTIONS.search(text) or _EXPONENTS.search(text):
                _checking_decoder.decode(text)
            return False
    except (TypeError, ValueError, RecursionError):
        pass
    return stringify(stored.data) == stringify(dict(dict.items(data)))


#: The types of values that a handler cannot change in place.
UNCHANGEABLE = frozenset({str, int, bool, float, type(None)})
#: What stands for the value of a key that is not there.
ABSENT: Any = object()
_EXACT = frozenset({str, int, bool, type(None)})


def written(value: JSON) -> bytes:
    """Return the JSON of ``value``, which a payload held, to be compared by ``differs``."""
    try:
        return _encoder.encode(value)
    except (TypeError, ValueError, RecursionError):
        return b""  # Equal to the JSON of nothing: it is compared with care.


def differs(data: dict[str, JSON], before: dict[str, JSON]) -> bool | None:
    """Tell whether ``data`` differs from what a payload held, of which ``before`` has all keys that may differ.

    ``before`` has their values, in the form of ``written`` where a value could be changed in place. Returns None if
    that is not plain: then compare with ``same``.
    """
    for key, was in before.items():
        value = dict.get(data, key, ABSENT)
        kind = value.__class__
        if was.__class__ is bytes:
            try:
                text = _encoder.encode(value)
            except (TypeError, ValueError, RecursionError):
                return None
            if text == was:
                continue
            if not was or _INTEGER_KEYS.search(text) or _ODD_FRACTIONS.search(text) or _EXPONENTS.search(text):
                return None
            return True
        if kind is was.__class__:
            if value == was:
                continue
            return True if kind in _EXACT else None
        # 1 and 1.0 are one number in JSON, and what is no JSON at all has to be refused.
        return True if kind in _EXACT and (was is ABSENT or was.__class__ in _EXACT) else None
    return False


def largest_key(data: dict[str, JSON]) -> tuple[str, int]:
    """Return the key whose value takes the most bytes, and how many these are with the key."""
    sizes = {key: len(stringify({key: value}).encode("utf-8", "replace")) - 2 for key, value in dict.items(data)}
    largest = max(sizes, key=sizes.__getitem__, default="")
    return largest, sizes.get(largest, 0)


def _compose(contents: Contents) -> bytes:
    """Return the payload as msgspec writes it. No dict is copied."""
    cookie, system = contents.cookie, contents.system
    body = _encoder.encode(contents.data)
    if cookie is None and not system:
        return body
    head = b"{" if cookie is None else b'{"cookie":' + _encoder.encode(cookie)
    if system:
        head += (b'"sessile":' if cookie is None else b',"sessile":') + _encoder.encode(system)
    return head + (b"}" if body == b"{}" else b"," + body[1:])


def _whole(contents: Contents) -> dict[str, JSON]:
    # dict.items, because a Session's own methods count as looking.
    data = dict(dict.items(contents.data))
    for key in (COOKIE, SYSTEM):
        if key in data:
            raise UnserialisableValue(f"session[{key!r}]", "is a reserved key of the record. Choose another name")
    whole: dict[str, JSON] = {} if contents.cookie is None else {COOKIE: contents.cookie}
    if contents.system:
        whole[SYSTEM] = contents.system
    whole.update(data)
    return whole


def stringify(value: JSON) -> str:
    """Return ``value`` as ``JSON.stringify`` writes it (ECMA-262 section 25.5.2).

    Raises UnserialisableValue for what JSON cannot hold.

    >>> stringify({"b": 1.0, "10": 1e-7, "2": [True, None, float("nan")]})
    '{"2":[true,null,null],"10":1e-7,"b":1}'
    """
    parts: list[str] = []
    _write(value, None, parts, 0)
    return "".join(parts)


#: Where a value stands: what it is in, and under which key or at which position; None is the session. It is text only
#: when somebody has to be told: a long key over a long list would be copied for each value.
_Place: TypeAlias = "tuple[_Place, str | int] | None"


def _text_of(place: _Place) -> str:
    """Return how a program names a place, cut short."""
    steps: list[str] = []
    while place is not None:
        place, step = place
        steps.append(f"[{step if isinstance(step, int) else step[:80]!r}]")
    return ("session" + "".join(reversed(steps)))[:200]


def _write(value: JSON, place: _Place, parts: list[str], depth: int) -> None:
    if depth > _MAX_DEPTH:
        raise UnserialisableValue(_text_of(place), "is nested too deep, or contains itself")
    if value is None or value is True or value is False:
        parts.append({None: "null", True: "true", False: "false"}[value])
    elif isinstance(value, str):
        parts.append(_quoted(value))
    elif isinstance(value, int):
        parts.append(_integer(value, place))
    elif isinstance(value, float):
        parts.append(javascript_number(value))
    elif isinstance(value, dict):
        _write_object(value, place, parts, depth)
    elif isinstance(value, (list, tuple)):
        _write_array(value, place, parts, depth)
    else:
        raise UnserialisableValue(
            _text_of(place),
            f"is a {type(value).__name__}, which JSON cannot hold. Store text, numbers, lists or dicts instead",
        )


def _write_array(value: list[JSON] | tuple[JSON, ...], place: _Place, parts: list[str], depth: int) -> None:
    parts.append("[")
    for index, item in enumerate(value):
        if index:
            parts.append(",")
        _write(item, (place, index), parts, depth + 1)
    parts.append("]")


def _write_object(value: Mapping[str, JSON], place: _Place, parts: list[str], depth: int) -> None:
    for key in value:
        if not isinstance(key, str):
            if isinstance(key, bool) or not isinstance(key, int):
                raise UnserialisableValue(
                    _text_of(place), f"has a key of type {type(key).__name__}: the keys of JSON are text"
                )
            # As the JSON of Django, Flask and Starlette: the basket {7: 2} comes back as {"7": 2}.
            value = {str(each) if type(each) is int else each: held for each, held in value.items()}
            break
    parts.append("{")
    for position, key in enumerate(javascript_order(value)):
        if position:
            parts.append(",")
        parts.append(_quoted(key))
        parts.append(":")
        _write(value[key], (place, key), parts, depth + 1)
    parts.append("}")


def _quoted(text: str) -> str:
    quoted = json.dumps(text, ensure_ascii=False)
    return _LONE_SURROGATE.sub(lambda match: f"\\u{ord(match[0]):04x}", quoted)


def _integer(value: int, place: _Place) -> str:
    try:
        return int.__repr__(value)
    except ValueError:  # More digits than the interpreter is willing to print, and to read back.
        raise UnserialisableValue(_text_of(place), "is an integer of too many digits") from None


def javascript_order(keys: Mapping[str, object]) -> list[str]:
    """Return the keys in the order in which a JavaScript object would hold them: integer-like ones first, by value."""
    indices = [key for key in keys if _INTEGER_KEY.fullmatch(key) and int(key) <= _LARGEST_INDEX]
    if not indices:
        return list(keys)
    first = set(indices)
    return sorted(indices, key=int) + [key for key in keys if key not in first]


def javascript_number(value: float) -> str:
    """Return a float as JavaScript does, and null for what JSON has no number for (ECMA-262 6.1.6.1.20)."""
    if value != value or value in (float("inf"), float("-inf")):
        return "null"
    if value == 0:
        return "0"
    sign = "-" if value < 0 else ""
    _, digit_tuple, exponent = Decimal(float.__repr__(abs(value))).normalize().as_tuple()
    digits = "".join(map(str, digit_tuple))
    count = len(digits)
    point = count + int(exponent)
    if count <= point <= 21:
        return sign + digits + "0" * (point - count)
    if 0 < point <= 21:
        return f"{sign}{digits[:point]}.{digits[point:]}"
    if -6 < point <= 0:
        return f"{sign}0.{'0' * -point}{digits}"
    power = f"e{'+' if point > 0 else '-'}{abs(point - 1)}"
    return f"{sign}{digits[0]}{'.' + digits[1:] if count > 1 else ''}{power}"
