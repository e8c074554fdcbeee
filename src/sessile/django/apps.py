"""The application of Django: what stands in INSTALLED_APPS as ``"sessile.django"``."""

from __future__ import annotations

from django.apps import AppConfig

__all__ = ["SessileConfig"]


class SessileConfig(AppConfig):  # type: ignore[misc]
    """Names the application. The package itself registers the system checks."""

    name = "sessile.django"
    label = "sessile"
    verbose_name = "Sessile"
