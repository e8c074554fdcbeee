"""What came of the neighbours' tests where it is not "passed", each with its reason; and how many pass."""

from __future__ import annotations

__all__ = ["DIFFERENCES", "PASSES"]

#: How many tests pass, by the neighbour.
PASSES = {
    "django": 151,
    "django-auth": 1266,
    "django-auth, signed": 1262,
    "django-allauth": 2281,
    "django-allauth, signed": 2281,
    "django-allauth-headless": 398,
    "django-allauth-headless, signed": 398,
    "django-axes": 351,
    "django-otp": 166,
    "django-otp, signed": 166,
    "social-auth-app-django": 299,
    "social-auth-app-django, signed": 297,
    "flask": 483,
    "flask-dance": 201,
    "flask-login": 114,
    "flask-oidc": 45,
    "flask-security": 366,
    "flask-wtf": 80,
    "starlette": 28,
}

_OTHER_ENGINE = "it asks for another SESSION_ENGINE, beside which our middleware that signs refuses to start"
_OF_ALLAUTH = {
    f"tests/apps/headless/tokens/test_jwttokenstrategy.py::test_access_token_query_counts[app-{url}-True-2]": (
        "it counts queries to the database, and the session is not there: one less"
    )
    for url in ("url0", "/headless/ninja/resource")
}

#: By the neighbour and the test's id. A test that is named here and passes is a failure too: take it out.
DIFFERENCES: dict[str, dict[str, str]] = {
    "django": {
        **{
            f"django_sessions.py::{suite}::test_session_key_valid_string_saved": (
                "a key that sessile could not have made is looked up by nobody: with one, a page of the index could be named"
            )
            for suite in ("TestEngine", "TestEngineWithTimeZones")
        },
        "django_sessions.py::TestPlainMiddleware::test_session_update_error_redirect": (
            "a page whose session was ended by another request is sent, without a cookie, not replaced by an error: "
            "tests/django/test_project.py has ours"
        ),
    },
    "django-auth": {},
    "django-auth, signed": dict.fromkeys(
        (
            "tests/test_client/tests.py::ClientTest::test_logout_cookie_sessions",
            "tests/test_client/tests.py::ClientTest::test_sessions_app_is_not_installed",
            "tests/test_client/tests.py::ClientTest::test_view_with_login_when_sessions_app_is_not_installed",
            "tests/test_client_regress/tests.py::SessionEngineTests::test_login",
        ),
        _OTHER_ENGINE,
    ),
    "django-allauth": _OF_ALLAUTH,
    "django-allauth, signed": _OF_ALLAUTH,
    "django-allauth-headless": _OF_ALLAUTH,
    "django-allauth-headless, signed": _OF_ALLAUTH,
    "django-axes": {},
    "django-otp": {},
    "django-otp, signed": {},
    "social-auth-app-django": {},
    "social-auth-app-django, signed": dict.fromkeys(
        (
            "tests/test_views.py::TestOAuth2NonceClaim::test_same_session_snapshot_cannot_exchange_state_twice",
            "tests/test_middleware.py::ErrorFallbackTest::test_callback_without_session_cookie",
        ),
        _OTHER_ENGINE,
    ),
    "flask-dance": {},
    "flask-oidc": {},
    "flask-security": dict.fromkeys(
        (
            "tests/test_basic.py::test_no_cache_control",
            "tests/test_basic.py::test_cache_control_not_on_app_endpoints",
            "tests/test_tokens.py::test_gen_mismatch[cl-fsqlalchemy]",
            "tests/test_tokens.py::test_gen_mismatch[cl-sqla-session]",
            "tests/test_tokens.py::test_refresh_cookie",
            "tests/test_webauthn.py::test_basic_json[cl-fsqlalchemy]",
            "tests/test_webauthn.py::test_basic_json[cl-sqla-session]",
            "tests/test_webauthn.py::test_verify_json",
        ),
        "a response that sets the cookie says Cache-Control: no-store",
    ),
    "flask-wtf": {},
    "flask": {
        "tests/test_basic.py::test_session_accessed": "after the response `modified` is False: all is stored by then",
        "tests/test_basic.py::test_session_using_session_settings": (
            "over http no secure cookie is sent: browsers would drop it"
        ),
        "tests/test_basic.py::test_session_using_samesite_attribute": (
            "a session keeps the cookie's attributes that it began with, as express-session's do"
        ),
        "tests/test_basic.py::test_session_special_types": (
            "values are what JSON can hold: no tuples, bytes, datetimes or UUIDs"
        ),
        "tests/test_basic.py::test_session_cookie_setting": (
            "`rolling=True` sends the cookie at each response, also where it ends with the browser"
        ),
        "tests/test_basic.py::test_session_refresh_vary": "a request that does not look at the session sends no cookie",
    },
    "flask-login": {},
    "starlette": {},
}
