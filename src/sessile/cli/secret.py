"""``sessile secret``: make a secret."""

from __future__ import annotations

import secrets

import typer

__all__ = ["secret"]


def secret() -> None:
    """Print a fresh secret, for SESSION_SECRET: 32 random bytes from the system."""
    typer.echo(secrets.token_urlsafe(32))
