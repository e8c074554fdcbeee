"""A session engine of a project's own, made of ours."""

from __future__ import annotations

import sessile.django


class SessionStore(sessile.django.SessionStore):
    """One that adds nothing."""
