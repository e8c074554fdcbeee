"""Why a migration stops."""

from __future__ import annotations

from sessile.errors import SessionError

__all__ = ["MigrationError"]


class MigrationError(SessionError):
    """Tells whoever moves sessions why that is not possible, or has stopped. Nothing is lost: it can be begun again."""
