"""Say which argument was meant, where a call has one that does not exist."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable, Collection
from functools import wraps
from typing import Any, TypeVar

from sessile.errors import InvalidOption

__all__ = ["checks_names", "nearest", "snake_case"]

C = TypeVar("C", bound=type[Any])


def snake_case(name: str) -> str:
    """Return a name of JavaScript as Python writes it.

    >>> snake_case("maxAge")
    'max_age'
    """
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name)


def nearest(name: str, known: Collection[str], cutoff: float = 0.75) -> str | None:
    """Return the name that ``name`` was probably meant to be, or None."""
    plain = {each.replace("_", ""): each for each in known}
    found = difflib.get_close_matches(snake_case(name).replace("_", ""), plain, 1, cutoff)
    return plain[found[0]] if found else None


def checks_names(what: str) -> Callable[[C], C]:
    """Make a class raise InvalidOption, with the name that was meant, for an argument that it does not have."""

    def decorate(cls: C) -> C:
        inner: Callable[..., None] = cls.__init__
        known = [name for name in inspect.signature(inner).parameters if name != "self"]

        @wraps(inner)
        def init(self: object, *arguments: Any, **named: Any) -> None:
            for name in named:
                if name not in known:
                    near = nearest(name, known)
                    remedy = f"Did you mean {near!r}?" if near else f"There are: {', '.join(known)}."
                    raise InvalidOption(f"{what} {name}", "there is no such option", remedy)
            inner(self, *arguments, **named)

        cls.__init__ = init
        return cls

    return decorate
