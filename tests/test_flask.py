"""flask.session, and the packages that build on it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import flask
import pytest
from flask import Flask
from flask_admin import Admin, BaseView, expose
from flask_login import LoginManager, UserMixin, current_user, login_required, login_user, logout_user
from flask_wtf import FlaskForm
from wtforms import StringField

import holdfast.flask
from holdfast import CookieOptions, Sessions, UnserialisableValue
from holdfast.flask import session
from tests.conftest import SECRET, Clock


def site(sessions: Sessions, **config: Any) -> Flask:
    """Return an application without a SECRET_KEY."""
    app = Flask("site")
    app.config.update(TESTING=True, **config)
    holdfast.flask.init_app(app, sessions)
    return app


def test_no_secret_key_is_needed(sessions: Sessions) -> None:
    """The secret of Sessions signs."""
    app = site(sessions)
    app.add_url_rule("/", view_func=lambda: str(session.setdefault("n", 1)))
    assert app.test_client().get("/").text == "1"
    assert app.secret_key is None


def test_flask_session_is_the_session(sessions: Sessions) -> None:
    """flask.session has all of ours, and all that Flask expects."""
    app = site(sessions)
    with app.test_request_context():
        assert isinstance(flask.session._get_current_object(), holdfast.flask.Session)  # type: ignore[attr-defined]
        assert (session.new, session.modified, session.permanent) == (True, False, False)
        session["cart"] = {"items": []}
        session.modified = False  # Which hides nothing.
        assert session.modified is True


def test_naming_the_session_is_not_looking(sessions: Sessions) -> None:
    """A view that only names flask.session, as templates do, loads nothing and varies on nothing."""
    app = site(sessions)
    app.add_url_rule("/", view_func=lambda: str(session.accessed))
    response = app.test_client().get("/")
    assert (response.text, "Vary" in response.headers) == ("False", False)


def test_permanent_is_the_life_of_the_cookie(sessions: Sessions) -> None:
    """permanent = True gives the cookie app.permanent_session_lifetime, False takes it away; each is sent once."""
    app = site(sessions, PERMANENT_SESSION_LIFETIME=timedelta(days=7))

    @app.get("/<value>")
    def permanent(value: str) -> str:
        session["n"] = 1
        session.permanent = value == "yes"
        return str(session.permanent)

    browser = app.test_client()
    response = browser.get("/yes")
    assert (response.text, "Max-Age=604800" in response.headers["Set-Cookie"]) == ("True", True)
    assert "Set-Cookie" not in browser.get("/yes").headers
    response = browser.get("/no")
    assert (response.text, "Max-Age" in response.headers["Set-Cookie"]) == ("False", False)


def test_flashing(sessions: Sessions) -> None:
    """flash() and get_flashed_messages() work, with categories, across requests."""
    app = site(sessions)

    @app.get("/flash")
    def flash() -> str:
        flask.flash("Saved.", "info")
        flask.flash("Low on disk.", "warning")
        return "ok"

    app.add_url_rule("/all", "all", view_func=lambda: repr(flask.get_flashed_messages(with_categories=True)))
    app.add_url_rule("/some", "some", view_func=lambda: repr(flask.get_flashed_messages(category_filter=["warning"])))
    browser = app.test_client()
    browser.get("/flash")
    assert browser.get("/some").text == "['Low on disk.']"
    browser.get("/flash")
    shown = browser.get("/all").text
    assert "Saved." in shown
    assert "warning" in shown
    assert browser.get("/all").text == "[]"


def test_session_transaction(sessions: Sessions) -> None:
    """Flask's test client can prepare a session, and look at it afterwards."""
    app = site(sessions)
    app.add_url_rule("/", view_func=lambda: session.pop("n", "none"))
    browser = app.test_client()
    with browser.session_transaction() as prepared:
        prepared["n"] = "7"
    with browser:
        assert browser.get("/").text == "7"
        assert "n" not in flask.session
    with browser.session_transaction() as left:
        assert dict(left) == {}


def test_a_datetime_is_an_error_that_names_the_key(sessions: Sessions) -> None:
    """What JSON cannot hold is refused, where Flask's own session would have tagged it."""
    app = site(sessions)

    @app.get("/")
    def when() -> str:
        session["when"] = datetime.now(UTC)
        return "ok"

    with pytest.raises(UnserialisableValue, match="session\\['when'\\]"):
        app.test_client().get("/")


def test_outside_the_path_there_is_no_session() -> None:
    """Where the cookie is not sent, flask.session is empty and refuses writes."""
    app = site(Sessions(secret=SECRET, cookie=CookieOptions(path="/app")))
    app.add_url_rule("/", view_func=lambda: str(flask.session.get("n")))
    assert app.test_client().get("/").text == "None"


def test_an_async_view(sessions: Sessions) -> None:
    """An async view reads and writes the session like any other."""
    app = site(sessions)

    @app.get("/")
    async def count() -> str:
        session["n"] = int(str(session.get("n", 0))) + 1
        return str(session["n"])

    browser = app.test_client()
    assert [browser.get("/").text, browser.get("/").text] == ["1", "2"]


async def test_a_client_in_an_async_test(sessions: Sessions) -> None:
    """A synchronous application may be called where an event loop runs."""
    app = site(sessions)
    app.add_url_rule("/", view_func=lambda: str(session.setdefault("n", 1)))
    assert app.test_client().get("/").text == "1"


# Packages on top --------------------------------------------------------------------------------------------------------


class User(UserMixin):  # type: ignore[misc]
    id = "zoe"


def test_flask_login(sessions: Sessions, clock: Clock) -> None:
    """Flask-Login keeps its user in the session, and logs out."""
    app = site(sessions)
    manager = LoginManager(app)
    manager.session_protection = "strong"
    manager.user_loader(lambda name: User() if name == "zoe" else None)

    @app.get("/login")
    def login() -> str:
        session.login(User().get_id())
        login_user(User())
        return "ok"

    @app.get("/logout")
    def logout() -> str:
        logout_user()
        session.logout()
        return "ok"

    @app.get("/me")
    @login_required  # type: ignore[untyped-decorator,unused-ignore]
    def me() -> str:
        return str(current_user.id)

    browser = app.test_client()
    assert browser.get("/me").status_code == 401
    browser.get("/login")
    assert browser.get("/me").text == "zoe"
    assert len(sessions.of_user("zoe")) == 1
    browser.get("/logout")
    assert browser.get("/me").status_code == 401
    assert sessions.of_user("zoe") == []


def test_flask_wtf(sessions: Sessions) -> None:
    """Flask-WTF keeps its CSRF token in the session: a form with it is accepted, one without is not."""
    app = site(sessions, SECRET_KEY="for the tokens of Flask-WTF")

    class Form(FlaskForm):  # type: ignore[misc,unused-ignore]
        name = StringField()

    @app.route("/", methods=["GET", "POST"])
    def page() -> str:
        form = Form()
        return f"hello {form.name.data}" if form.validate_on_submit() else str(form.csrf_token.current_token)

    browser = app.test_client()
    token = browser.get("/").text
    assert browser.post("/", data={"name": "Zoë", "csrf_token": token}).text == "hello Zoë"
    assert "hello" not in browser.post("/", data={"name": "Zoë"}).text
    assert "hello" not in app.test_client().post("/", data={"name": "Zoë", "csrf_token": token}).text


def test_flask_admin(sessions: Sessions) -> None:
    """Flask-Admin's pages run with our session, flashed messages and all."""
    app = site(sessions)

    class Page(BaseView):  # type: ignore[misc,unused-ignore]
        @expose("/")  # type: ignore[misc,unused-ignore]
        def index(self) -> Any:
            session["seen"] = True
            flask.flash("Welcome, admin.")
            return self.render("admin/index.html")

    admin = Admin(app, name="site")
    admin.add_view(Page(name="Page", endpoint="page"))
    browser = app.test_client()
    response = browser.get("/admin/page/")
    assert (response.status_code, "Welcome, admin." in response.text) == (200, True)
    with browser.session_transaction() as left:
        assert left["seen"] is True
