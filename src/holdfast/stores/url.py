# Text that is no value for its option is handed on as it is where the store has to look at the value anyway: so it is
# refused in the same words, and with the same remedy, as in a call.
"""Read the options that the URL of a store carries."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias
from urllib.parse import unquote_plus

from holdfast.errors import InvalidOption

__all__ = [
    "Reader",
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
