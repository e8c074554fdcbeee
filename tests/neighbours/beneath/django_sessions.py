# Django tries each of its engines by one mixin; ours is one engine more. Its tests of the middleware run twice: with its
# middleware over our engine, and with ours in its place.
"""Django's own tests of its session engines and its middleware, with ours in their place."""

from __future__ import annotations

from typing import Any
from unittest import mock

from django.test import SimpleTestCase, override_settings
from sessions_tests import tests as theirs

from sessile.django import PlainSessionMiddleware, SessionStore


class TestEngine(theirs.SessionTestsMixin, SimpleTestCase):
    """What Django asks of each of its engines: all of it."""

    backend = SessionStore


@override_settings(USE_TZ=True)
class TestEngineWithTimeZones(TestEngine):
    """The same, where moments have a time zone."""


class TestMiddleware(theirs.SessionMiddlewareTests):
    """What Django asks of its middleware, with our engine behind it."""

    def setUp(self) -> None:
        super().setUp()
        self.enterContext(mock.patch.object(theirs, "DatabaseSession", SessionStore))
        self.enterContext(mock.patch.object(theirs, "Session", mock.Mock(objects=Stored())))


class TestPlainMiddleware(TestMiddleware):
    """The same of ours that writes Django's cookie."""

    def setUp(self) -> None:
        super().setUp()
        self.enterContext(mock.patch.object(theirs, "SessionMiddleware", PlainSessionMiddleware))


class Stored:
    """Stands for Django's table of sessions, which is empty here: the one test that looks into it looks into ours."""

    def get(self, session_key: str) -> Any:
        return mock.Mock(get_decoded=lambda: SessionStore(session_key).load())
