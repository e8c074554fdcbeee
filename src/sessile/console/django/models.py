# Permissions of Django belong to models. This one has no table.
"""What the permissions of the console are about."""

from __future__ import annotations

from typing import ClassVar

from django.db import models

__all__ = ["Session"]


class Session(models.Model):  # type: ignore[misc]
    """A session, wherever it is stored. ``view`` allows to look at sessions, and ``delete`` to end them."""

    class Meta:
        """No table, and the two permissions that make sense."""

        managed = False
        default_permissions: ClassVar = ("view", "delete")
        verbose_name = "session"
        verbose_name_plural = "sessions"
