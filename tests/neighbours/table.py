# A new neighbour is a row here, its differences in `differences.py`, and at most a module in `beneath/`. Its code stays in
# its source distribution, which `fetch` brings into `.neighbours/`: no line of it stands in this repository.
"""The packages whose own tests run with sessile beneath them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

__all__ = ["HOME", "NEIGHBOURS", "Neighbour", "Source"]

#: Where the source distributions are. Git ignores it.
HOME = Path(__file__).parents[2] / ".neighbours"


@dataclass(frozen=True, slots=True)
class Source:
    """A source distribution of PyPI's. ``sha256`` is that of the archive, as PyPI states it."""

    name: str
    version: str
    sha256: str
    #: Where its package is, from its root. It comes before the one that is installed: tests and package are one version.
    package: str = "src"

    @property
    def folder(self) -> Path:
        return HOME / f"{self.name}-{self.version}"


@dataclass(frozen=True, slots=True)
class Neighbour:
    """Some of a package's tests, with sessile beneath."""

    name: str
    source: Source
    #: The module of `beneath/` that puts sessile there: a plugin of pytest's.
    beneath: str
    #: What pytest is given: paths, and what to leave out. Paths are those of the source distribution, or of `beneath/` if they begin with it.
    tests: tuple[str, ...] = ("tests",)
    #: What else has to be importable, from the root of the source distribution.
    path: tuple[str, ...] = ()
    #: Its file with settings of pytest's. None: those in `beneath/`.
    settings: str | None = "pyproject.toml"
    #: Of a Django project: the module with its settings.
    project: str | None = None
    #: Of a Django project: what stands in the place of Django's middleware of sessions.
    middleware: str = "django.contrib.sessions.middleware.SessionMiddleware"


_ALLAUTH = Source(
    "django-allauth", "65.21.1", "128344e260a22b62796747be0a2249ad9488a509c1aa34ab35e3fcf22862dd9e", package=""
)
_AXES = Source("django-axes", "8.3.1", "d57e923c0ba33cf45275253dd1313c3a3ff04bec686b38d677beb2b3d43c7bcd", package="")
_DJANGO = Source("django", "5.2.19", "ad03d8abc51dbff95ebf34b27123cf0c26a3b62db7ba0cd520783686362533d1", package="")
_FLASK = Source("flask", "3.1.3", "0ef0e52b8a9cd932855379197dd8f94047b359ca0a78695144304cb45f87c9eb")
_FLASK_DANCE = Source(
    "flask-dance", "7.1.0", "6d0510e284f3d6ff05af918849791b17ef93a008628ec33f3a80578a44b51674", package=""
)
_FLASK_LOGIN = Source("flask-login", "0.6.3", "5e23d14a607ef12806c699590b89d0f0e0d67baeec599d75947bf9c147330333")
_FLASK_OIDC = Source(
    "flask-oidc", "2.4.0", "e72378fcea8f90ccab874836a61f1783092a900c965e52587c1307e38b2e2153", package=""
)
_FLASK_SECURITY = Source(
    "flask-security", "5.9.2", "215b1f978c203c646cfa87667e4a193b63aaf51a18403c49eccc9ff1b1bfad8f", package=""
)
_FLASK_WTF = Source("flask-wtf", "1.3.0", "61d5dabc50c3df885c297dcbd80810443a5d632106c8a69cab8ce740f0cdd7cc")
_OTP = Source("django-otp", "1.7.5", "7f554d21dcd035550c3b8e3f154b1f422fee71fdc75c8a3bf96e42a2ea6dafcc")
_SOCIAL = Source(
    "social-auth-app-django", "8.0.0", "501a25e595aacfd3007c1b458fc1909a98ba1b7853b8563f807da86c2a7c3e6b", package=""
)
_STARLETTE = Source(
    "starlette", "1.10.0", "b8399098d4c1e3522734f7235dc79b1fc967f96cf139c81e0fa30479e0685f9b", package=""
)

_SESSION = "tests/middleware/test_session.py"
_BAD_HOST = "tests/test_reqctx.py::test_bad_environ_raises_bad_request"  # Not about sessions: 404 with newer Werkzeugs.
_FLAGS = "test_session_tracks_modification"  # About a class of theirs: it would pass whatever ours did.

_DANCE = ("-p", "flask_dance.fixtures.pytest")
# These fail with Flask's own sessions too: where a variable names certificates, and with a newer Authlib's messages.
_NO_VERIFY = "tests/contrib/test_gitlab.py::test_no_verify_api_call"
_NO_TOKEN = "tests/test_flask_oidc.py::test_accept_token_no_token"

#: Our middleware that writes express-session's cookie.
_SIGNED = "sessile.django.SessionMiddleware"
#: Those that look at sessions, with the databases that need no server. Translations would need Flask-Babel.
_OF_FLASK_SECURITY = (
    *(
        f"tests/test_{each}.py"
        for each in ("basic", "changeable", "csrf", "oauthglue", "tf_plugin", "tokens", "two_factor", "unified_signin")
    ),
    "tests/test_webauthn.py",
    *("-k", "not mongo and not peewee and not fsqlalite and not xlat"),
)
#: These fail with Django's own sessions too: a newer oauthlib, and a test that waits for pytest-asyncio.
_OF_ALLAUTH = (
    "tests/apps",
    "--deselect=tests/apps/idp/oidc/test_device.py::test_device_flow",
    "--deselect=tests/apps/account/test_middleware.py::test_accounts_redirect_async_ctx",
)
#: The network is asked for djangoproject.com; and what is skipped is for Python 3.14.
_OF_DJANGO = (
    *(f"tests/{each}" for each in ("auth_tests", "messages_tests", "csrf_tests", "test_client", "test_client_regress")),
    "--deselect=tests/test_client/tests.py::ClientTest::test_external_redirect_with_fetch_error_msg",
    "--deselect=tests/auth_tests/test_auth_backends.py::AuthenticateTests::test_backend_uses_deferred_annotations",
)


def _twice(name: str, source: Source, project: str, tests: tuple[str, ...], **more: Any) -> tuple[Neighbour, ...]:
    """Return a Django project twice: beneath Django's middleware, and with ours that signs in its place."""
    plain = Neighbour(name, source, "under_project", tests, project=project, settings=None, **more)
    return plain, replace(plain, name=f"{name}, signed", middleware=_SIGNED)


NEIGHBOURS = (
    Neighbour("django", _DJANGO, "under_django", tests=("beneath/django_sessions.py",), path=("tests",), settings=None),
    *_twice("django-auth", _DJANGO, "django_project", _OF_DJANGO, path=("tests",)),
    *_twice("django-allauth", _ALLAUTH, "tests.projects.regular.settings", _OF_ALLAUTH),
    *_twice("django-allauth-headless", _ALLAUTH, "tests.projects.headless_only.settings", ("tests/apps/headless",)),
    _twice("django-axes", _AXES, "tests.settings", ("tests",))[0],
    # What is left out needs a database with locks of rows.
    *_twice("django-otp", _OTP, "test_project.settings", ("src", "-k", "not Concurrency"), path=("test",)),
    # What is left out needs a library of SAML's.
    *_twice("social-auth-app-django", _SOCIAL, "tests.settings", ("tests", "-k", "not SAMLBrowserReturn")),
    Neighbour("flask", _FLASK, "under_flask", tests=("tests", f"--deselect={_BAD_HOST}")),
    Neighbour("flask-dance", _FLASK_DANCE, "under_flask", ("tests", *_DANCE, f"--deselect={_NO_VERIFY}")),
    Neighbour("flask-login", _FLASK_LOGIN, "under_flask", settings="setup.cfg"),
    Neighbour("flask-oidc", _FLASK_OIDC, "under_flask", ("tests", f"--deselect={_NO_TOKEN}")),
    Neighbour("flask-security", _FLASK_SECURITY, "under_flask_security", _OF_FLASK_SECURITY, settings="pytest.ini"),
    # What is left out needs packages for translations and uploads.
    Neighbour("flask-wtf", _FLASK_WTF, "under_flask", ("tests", "--ignore=tests/test_i18n.py", "-k", "not uploadset")),
    Neighbour("starlette", _STARLETTE, "under_starlette", tests=(_SESSION, f"--deselect={_SESSION}::{_FLAGS}")),
)
