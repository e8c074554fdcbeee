"""Read the options that the URL of a store carries."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

from holdfast.errors import InvalidOption

__all__ = ["options"]


def options(url: str, *known: str) -> dict[str, str]:
    """Return what stands after the ``?`` of ``url``. Raises InvalidOption for a name that is not in ``known``."""
    parts = urlsplit(url)
    found = {name: values[-1] for name, values in parse_qs(parts.query, keep_blank_values=True).items()}
    unknown = sorted(set(found) - set(known))
    if unknown:
        remedy = f"It has {' and '.join(known)}." if known else "It has none."
        raise InvalidOption("store", f"{parts.scheme}:// has no option {unknown[0]!r}", remedy)
    return found
