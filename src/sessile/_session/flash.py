# Kept as connect-flash of Node keeps them: {category: [message, ...]} under one key of the data. A message that is
# markup stands there as Flask's own session writes it, {" m": "<b>...</b>"}, so that it comes back as markup.
"""Messages for the next page."""

from __future__ import annotations

from typing import Protocol, cast

from sessile._records.record import JSON

__all__ = ["FLASH", "HasHtml", "Html", "add", "stored", "take", "taken"]

#: The key of the session under which the messages are.
FLASH = "flash"

_MARKUP = " m"

#: How many messages of one category are kept, the newest: nobody reads more on one page, and requests whose answers are
#: never looked at would make the session grow.
MOST_MESSAGES = 100


class HasHtml(Protocol):
    """What a template shows as it is: a ``Markup``, a lazy translation."""

    def __html__(self) -> str:
        """Return the markup."""


class Html(str):
    """A message that is markup: a template that escapes text leaves it as it is."""

    __slots__ = ()

    def __html__(self) -> str:
        return str(self)


def stored(message: object) -> object:
    """Return what stands in the session for a message."""
    html = getattr(message, "__html__", None)
    return message if html is None else {_MARKUP: str(html())}


def taken(kept: JSON) -> object:
    """Return the message that ``stored`` has made ``kept`` of."""
    if isinstance(kept, dict) and isinstance(markup := kept.get(_MARKUP), str) and len(kept) == 1:
        return Html(markup)
    return kept


def add(data: dict[str, JSON], message: object, category: str) -> None:
    """Add ``message`` to those of ``category``."""
    kept = data.get(FLASH)
    if not isinstance(kept, dict):
        kept = data[FLASH] = {}
    messages = kept.get(category)
    message = stored(message)
    kept[category] = [*messages, message][-MOST_MESSAGES:] if isinstance(messages, list) else [message]


def take(data: dict[str, JSON], category: str | None) -> dict[str, list[str]]:
    """Take the messages out, by category; with ``category``, those of that one only."""
    kept = data.get(FLASH)
    if not isinstance(kept, dict):
        return {}
    found = {name: kept.pop(name) for name in list(kept) if category in (None, name)}
    if not kept:
        del data[FLASH]
    return {
        name: [cast("str", taken(each)) for each in messages] if isinstance(messages, list) else messages
        for name, messages in found.items()
    }
