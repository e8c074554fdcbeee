"""Read the options that the URL of a store carries."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, unquote_plus, urlsplit

from holdfast.errors import InvalidOption

__all__ = ["number", "number_or_none", "options", "split", "whole_number", "yes_or_no"]


def options(url: str, *known: str) -> dict[str, str]:
    """Return what stands after the ``?`` of ``url``. Raises InvalidOption for a name that is not in ``known``."""
    parts = urlsplit(url)
    found = {name: values[-1] for name, values in parse_qs(parts.query, keep_blank_values=True).items()}
    unknown = sorted(set(found) - set(known))
    if unknown:
        remedy = f"It has {' and '.join(known)}." if known else "It has none."
        raise InvalidOption("store", f"{parts.scheme}:// has no option {unknown[0]!r}", remedy)
    return found


def split(url: str, **known: Callable[[str], Any]) -> tuple[str, dict[str, Any]]:
    """Return ``url`` without the options that are ours, and those, each made by its function in ``known``.

    What is left is the driver's. Raises InvalidOption for a value that its function refuses with ValueError.
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
        except ValueError:
            raise InvalidOption(name, f"{text!r} is no value for it", f"It is {_KINDS[known[name]]}.") from None
    rest = "&".join(filter(None, others))
    return (f"{place}?{rest}" if rest else place), found


def number(text: str) -> float:
    """Return the number that ``text`` is."""
    return float(text)


def whole_number(text: str) -> int:
    """Return the whole number that ``text`` is."""
    return int(text)


def number_or_none(text: str) -> float | None:
    """Return the number that ``text`` is, or None for ``none``."""
    return None if text == "none" else float(text)


def yes_or_no(text: str) -> bool:
    """Return whether ``text`` is ``yes``."""
    if text not in ("yes", "no"):
        raise ValueError
    return text == "yes"


_KINDS: dict[Callable[[str], Any], str] = {
    number: "a number",
    whole_number: "a whole number",
    number_or_none: 'a number, or "none"',
    yes_or_no: "yes or no",
}
