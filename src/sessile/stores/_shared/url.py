# Text that is no value for its option is handed on as it is where the store has to look at the value anyway: so it is
# refused in the same words, and with the same remedy, as in a call.
#
# Clouds make passwords of base64, with / and + and =, and people paste them into URLs as they are. What a parser makes
# of such a URL is chance: a part of the password becomes the host, and goes to DNS, or an option, and stands in an
# error. So whatever is before the last @ has to be encoded, and is looked at before anything else; and none of it is
# quoted.
"""Read the options that the URL of a store carries."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, TypeAlias
from urllib.parse import unquote_plus

from sessile.errors import InvalidOption

__all__ = [
    "Reader",
    "check",
    "no_option",
    "number",
    "number_or_none",
    "options",
    "split",
    "true_or_false",
    "whole_number",
    "yes_or_no",
]

#: What makes the value of an option from its text. Raises ValueError, with what it takes, for what it does not take.
Reader: TypeAlias = Callable[[str], Any]


#: What has a place of its own in a URL, or none: https://www.rfc-editor.org/rfc/rfc3986#section-3.2.1
_NOT_ENCODED = re.compile(r"[/?#@\[\]\\\x00-\x20\x7f]|%(?![0-9A-Fa-f]{2})")

#: Schemes whose stores have no users.
_WITHOUT_USERS = {"memory", "cookie", "memcached", "dynamodb"}

#: Schemes with a path of this machine, which may hold an @.
_OF_PATHS = {"sqlite", "file", "unix", "redis+unix"}


def check(url: str) -> None:
    """Raise InvalidOption if user and password in ``url`` are not encoded. The text quotes nothing of them."""
    scheme, _, rest = url.partition("://")
    before, at, _ = rest.rpartition("@")
    if not at or (scheme in _OF_PATHS and rest.startswith("/")):
        return
    if scheme in _WITHOUT_USERS:
        remedy = "Leave out what is before the @. In an option an @ is written %40."
        raise InvalidOption("store", f"{scheme}:// has no user and no password", remedy)
    if _NOT_ENCODED.search(before):
        problem = "what is before the last @ of its URL is not percent-encoded"
        remedy = "Write urllib.parse.quote(password, safe=''), and %40 for an @ in an option."
        raise InvalidOption("store", problem, remedy)


def options(url: str, **known: Reader) -> dict[str, Any]:
    """Return what stands after the ``?`` of ``url``. Raises InvalidOption for a name that is not in ``known``."""
    rest, found = split(url, **known)
    _, _, unknown = rest.partition("?")
    if unknown:
        name = unquote_plus(unknown.partition("&")[0].partition("=")[0])
        raise no_option(url, name, f"It has {' and '.join(known)}." if known else "It has none.")
    return found


def no_option(url: str, name: str, remedy: str) -> InvalidOption:
    """Return the error for an option that the store of ``url`` does not have."""
    return InvalidOption("store", f"{url.partition(':')[0]}:// has no option {name!r}", remedy)


def split(url: str, **known: Reader) -> tuple[str, dict[str, Any]]:
    """Return ``url`` without the options that are ours, and those, each made by its reader in ``known``.

    What is left is the driver's. Raises InvalidOption for a value that its reader refuses.
    """
    check(url)
    place, _, query = url.partition("?")
    found: dict[str, Any] = {}
    others = []
    for item in query.split("&"):
        name, _, text = item.partition("=")
        if name not in known:
            others.append(item)
            continue
        text = unquote_plus(text)
        try:
            found[name] = known[name](text)
        except ValueError as error:
            one, other = error.args
            raise InvalidOption(name, f"{text!r} is neither {one} nor {other}", f"Write {one} or {other}.") from None
    rest = "&".join(filter(None, others))
    return (f"{place}?{rest}" if rest else place), found


def number(text: str) -> float | str:
    """Return the number that ``text`` is, or the text."""
    try:
        return float(text)
    except ValueError:
        return text


def whole_number(text: str) -> int | str:
    """Return the whole number that ``text`` is, or the text."""
    try:
        return int(text)
    except ValueError:
        return text


def number_or_none(text: str) -> float | str | None:
    """Return the number that ``text`` is, None for ``none``, or the text."""
    return None if text == "none" else number(text)


def true_or_false(text: str) -> bool:
    """Return whether ``text`` is ``true``. Raises ValueError if it is not ``false`` either."""
    return _either(text, "true", "false")


def yes_or_no(text: str) -> bool:
    """Return whether ``text`` is ``yes``. Raises ValueError if it is not ``no`` either."""
    return _either(text, "yes", "no")


def _either(text: str, one: str, other: str) -> bool:
    if text not in (one, other):
        raise ValueError(one, other)
    return text == one
