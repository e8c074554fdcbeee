"""The application of Django that has the console's entry in the admin."""

from __future__ import annotations

from django.apps import AppConfig
from django.core.signals import request_started

__all__ = ["ConsoleConfig"]


class ConsoleConfig(AppConfig):  # type: ignore[misc]
    """Names the application."""

    name = "sessile.console.django"
    label = "sessile_console"
    verbose_name = "Sessile"

    def ready(self) -> None:
        """Let the counts of the page "Now" begin with the first request of this process."""
        request_started.connect(_watch)


def _watch(**_: object) -> None:
    from sessile.console.now import watch
    from sessile.django import sessions

    request_started.disconnect(_watch)
    watch(sessions())
