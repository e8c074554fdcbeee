"""Django's own tests of its session engines and its middleware, with ours in their place."""

from __future__ import annotations

from typing import Any
from unittest import mock

from django.http import HttpResponse
from django.test import SimpleTestCase, override_settings

from holdfast.django import PlainSessionMiddleware, SessionStore
from tests.integrations.borrowed.sessions_tests import tests as borrowed


class TestEngine(borrowed.SessionTestsMixin, SimpleTestCase):
    """What Django asks of each of its engines: all of it."""

    backend = SessionStore


@override_settings(USE_TZ=True)
class TestEngineWithTimeZones(TestEngine):
    """The same, where moments have a time zone."""


class TestMiddlewareOfDjango(borrowed.SessionMiddlewareTests):
    """What Django asks of its middleware, with our engine behind it."""

    def setUp(self) -> None:
        super().setUp()
        self.enterContext(mock.patch.object(borrowed, "DatabaseSession", SessionStore))
        self.enterContext(mock.patch.object(borrowed, "Session", mock.Mock(objects=_Stored())))


class TestPlainMiddleware(TestMiddlewareOfDjango):
    """The same of ours that writes Django's cookie."""

    def setUp(self) -> None:
        super().setUp()
        self.enterContext(mock.patch.object(borrowed, "SessionMiddleware", PlainSessionMiddleware))

    def test_session_update_error_redirect(self) -> None:
        """Other than Django: to a request whose session was ended meanwhile its page is sent, without a cookie."""

        def end(request: Any) -> HttpResponse:
            request.session = SessionStore()
            request.session.save(must_create=True)
            request.session.delete()
            return HttpResponse("page")

        response = PlainSessionMiddleware(end)(self.request_factory.get("/foo/"))
        assert (response.content, response.cookies, response["Vary"]) == (b"page", {}, "Cookie")


class _Stored:
    """Stands for Django's table of sessions, which is empty here: the one test that looks into it looks into ours."""

    def get(self, session_key: str) -> Any:
        return mock.Mock(get_decoded=lambda: SessionStore(session_key).load())


# Those are Django's own engines; here they would be tried once more.
del borrowed.SessionMiddlewareTests
