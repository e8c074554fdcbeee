"""What a store raises inside where its server has answered, and said no."""

from __future__ import annotations

__all__ = ["Refusal"]


class Refusal(Exception):
    """Says that the server refused, and why. ``ServerStore`` makes a StoreRefused of it.

    The text is the server's code or first line, or what to do, and never a value that was sent.
    """
