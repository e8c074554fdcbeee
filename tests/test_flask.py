"""flask.session, and the packages that build on it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import flask
import pytest
from flask import Flask
from flask_admin import Admin, BaseView, expose
from flask_login import LoginManager, UserMixin, confirm_login, current_user, login_required, login_user, logout_user
from flask_paranoid import Paranoid
from flask_wtf import FlaskForm
from markupsafe import Markup
from wtforms import StringField

import sessile.flask
from sessile import CookieOptions, Sessions, UnserialisableValue
from sessile.flask import session
from tests.conftest import SECRET, Clock


def site(sessions: Sessions, **config: Any) -> Flask:
    """Return an application without a SECRET_KEY."""
    app = Flask("site")
    app.config.update(TESTING=True, **config)
    sessile.flask.init_app(app, sessions)
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
        assert isinstance(flask.session._get_current_object(), sessile.flask.Session)  # type: ignore[attr-defined]
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


def test_flask_paranoid(sessions: Sessions) -> None:
    """A cookie that comes from another browser gets 401, and its session is over for the thief and its owner."""
    app = site(sessions)
    Paranoid(app)

    @app.get("/login")
    def login() -> str:
        session.login("zoe")
        return "ok"

    @app.get("/me")
    def me() -> str:
        return str(session.user_id)

    browser = app.test_client()
    browser.get("/login", headers={"User-Agent": "hers"})
    assert browser.get("/me", headers={"User-Agent": "hers"}).text == "zoe"
    assert browser.get("/me", headers={"User-Agent": "another"}).status_code == 401
    assert sessions.of_user("zoe") == []
    assert browser.get("/me", headers={"User-Agent": "hers"}).text == "None"


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


def test_messages_that_are_markup_come_back_as_markup(sessions: Sessions) -> None:
    """Whatever has ``__html__``, as in Flask's own session: a ``Markup``, a lazy translation (Flask-Babel)."""

    class Lazy:
        def __html__(self) -> str:
            return "<i>later</i>"

    app = Flask("site")
    sessile.flask.init_app(app, sessions)

    @app.get("/say")
    def say() -> str:
        flask.flash(Markup("<b>now</b>"))
        flask.flash(Lazy(), "hint")  # type: ignore[arg-type]
        flask.flash("a < b")
        return ""

    @app.get("/")
    def show() -> str:
        return flask.render_template_string("{% for each in get_flashed_messages() %}{{ each }};{% endfor %}")

    client = app.test_client()
    client.get("/say")
    assert client.get("/").text == "<b>now</b>;<i>later</i>;a &lt; b;"
    assert client.get("/").text == ""


# What a framework takes for a log-in ------------------------------------------------------------------------------------


class Named(UserMixin):  # type: ignore[misc]
    def __init__(self, name: str) -> None:
        self.id = name


def with_flask_login(sessions: Sessions) -> Flask:
    app = site(sessions)
    app.secret_key = "for the cookie that remembers"
    LoginManager(app).user_loader(Named)

    @app.route("/set")
    def put() -> str:
        session["cart"] = "rope"
        return "ok"

    @app.route("/login/<name>")
    def login(name: str) -> str:
        login_user(Named(name))
        return "ok"

    @app.route("/both/<name>")
    def both(name: str) -> str:
        session.login(name, device="phone")
        login_user(Named(name))
        session.login(name, device="phone")
        return "ok"

    @app.route("/remember")
    def remember() -> str:
        login_user(Named("zoe"), remember=True)
        return "ok"

    @app.route("/confirm")
    def confirm() -> str:
        confirm_login()
        return "ok"

    @app.route("/logout")
    def logout() -> str:
        logout_user()
        session.flash("Good bye")
        return "ok"

    @app.route("/clear")
    def clear() -> str:
        session.clear()
        return "ok"

    @app.route("/flashes")
    def flashes() -> Any:
        return session.flashes()

    @app.route("/me")
    def me() -> Any:
        return [current_user.get_id(), session.user_id, session.get("cart")]

    return app


def planted(app: Flask) -> tuple[Any, Any]:
    """Return the browsers of an attacker and of a victim, in which the attacker has planted the same session."""
    attacker, victim = app.test_client(), app.test_client()
    attacker.get("/set")
    victim.set_cookie("connect.sid", attacker.get_cookie("connect.sid").value)  # type: ignore[union-attr]
    return attacker, victim


@pytest.mark.parametrize("way", ["/login/zoe", "/both/zoe", "/remember"])
def test_a_log_in_by_flask_login_changes_the_id(sessions: Sessions, way: str) -> None:
    """Who has planted an id in a browser does not share what its user logs in to; the cart lives on."""
    app = with_flask_login(sessions)
    attacker, victim = planted(app)
    victim.get(way)
    assert victim.get("/me").json == ["zoe", "zoe", "rope"]
    assert attacker.get("/me").json == [None, None, None]
    assert [handle.user_id for handle in sessions.of_user("zoe")] == ["zoe"]
    assert sessions.revoke_user("zoe") == 1


def test_a_remembered_user_is_logged_in_under_a_new_id(sessions: Sessions) -> None:
    """The cookie of Flask-Login that remembers logs in too."""
    app = with_flask_login(sessions)
    browser = app.test_client()
    browser.get("/remember")
    attacker, _ = planted(app)
    browser.set_cookie("connect.sid", attacker.get_cookie("connect.sid").value)
    assert browser.get("/me").json == ["zoe", "zoe", "rope"]
    assert attacker.get("/me").json == [None, None, None]


def test_another_user_of_flask_login_gets_no_data_of_the_first(sessions: Sessions) -> None:
    app = with_flask_login(sessions)
    browser = app.test_client()
    for way in ("/login/ada", "/set", "/login/zoe"):
        browser.get(way)
    assert browser.get("/me").json == ["zoe", "zoe", None]


def test_logout_user_ends_the_log_in(sessions: Sessions) -> None:
    """A copy of the cookie is worthless then, and what is no user's goes on."""
    app = with_flask_login(sessions)
    browser, thief = app.test_client(), app.test_client()
    browser.get("/set")
    browser.get("/login/zoe")
    thief.set_cookie("connect.sid", browser.get_cookie("connect.sid").value)  # type: ignore[union-attr]
    browser.get("/confirm")
    assert thief.get("/me").json == [None, None, None]
    browser.get("/logout")
    assert browser.get("/me").json == [None, None, "rope"]
    assert sessions.of_user("zoe") == []


def test_clear_is_a_log_out(sessions: Sessions) -> None:
    """Record, cookie, user and the entry in the index go; who answers a stolen cookie with clear() is right."""
    app = with_flask_login(sessions)
    browser, thief = app.test_client(), app.test_client()
    browser.get("/both/zoe")
    thief.set_cookie("connect.sid", browser.get_cookie("connect.sid").value)  # type: ignore[union-attr]
    assert "Max-Age=0" in thief.get("/clear").headers["Set-Cookie"]
    assert browser.get("/me").json == [None, None, None]
    assert sessions.of_user("zoe") == []
    assert sessions.count() == 0


def test_the_last_message_taken_out_logs_nobody_out(sessions: Sessions) -> None:
    app = site(sessions)
    app.add_url_rule("/login", "login", lambda: (session.login("zoe"), session.flash("Welcome"), "ok")[2])
    app.add_url_rule("/flashes", "flashes", lambda: session.flashes())
    app.add_url_rule("/flash", "flash", lambda: (session.flash("Hello"), "ok")[1])
    user, stranger = app.test_client(), app.test_client()
    user.get("/login")
    assert user.get("/flashes").json == {"info": ["Welcome"]}
    assert sessions.count() == 1
    stranger.get("/flash")
    assert stranger.get("/flashes").json == {"info": ["Hello"]}
    assert sessions.count() == 1
    assert stranger.get_cookie("connect.sid") is None


def test_a_test_looks_at_the_session_after_the_response(sessions: Sessions) -> None:
    """``with app.test_client() as browser`` keeps the context: what is taken out there stays in the store."""
    app = site(sessions)
    app.add_url_rule("/", "say", lambda: (flask.flash("Please log in"), "ok")[1])
    app.add_url_rule("/all", "all", lambda: flask.get_flashed_messages())
    with app.test_client() as browser:
        browser.get("/")
        with pytest.warns(UserWarning, match="the response has been sent"):
            assert flask.get_flashed_messages() == ["Please log in"]
    assert browser.get("/all").json == ["Please log in"]


def test_a_log_out_that_leaves_nothing_ends_the_session(sessions: Sessions) -> None:
    """As with Flask's own: where the log-out was all that stood in it, record and cookie go."""
    app = with_flask_login(sessions)

    def log_out(keep: int) -> str:
        if keep:
            session["cart"] = "apple"
        logout_user()
        return "ok"

    app.add_url_rule("/in", "enter", lambda: str(login_user(Named("zoe"))))
    app.add_url_rule("/out/<int:keep>", "leave", log_out)
    browser = app.test_client()
    browser.get("/in")
    browser.get("/out/1")
    assert browser.get_cookie("connect.sid") is not None
    browser.delete_cookie("connect.sid")
    sessions.clear()
    browser.get("/in")
    browser.get("/out/0")
    assert browser.get_cookie("connect.sid") is None
    assert sessions.count() == 0


@pytest.mark.parametrize("stripped", [False, True])
def test_the_root_of_the_application_is_the_path_of_the_cookie(stripped: bool) -> None:
    """As with Flask's own, also behind a proxy that takes it off the URL; a path that is given counts more."""
    app = Flask("site")
    app.config["APPLICATION_ROOT"] = "/shop"
    sessile.flask.init_app(app, secret=SECRET)
    app.add_url_rule("/", "count", lambda: str(session.setdefault("n", 1)))
    base = "http://localhost/" if stripped else "http://localhost/shop"
    response = app.test_client().get("/", base_url=base)
    assert response.text == "1"
    assert "; Path=/shop;" in response.headers["Set-Cookie"]
    app = Flask("site")
    app.config["APPLICATION_ROOT"] = "/shop"
    sessile.flask.init_app(app, secret=SECRET, cookie=CookieOptions(path="/shop/till"))
    app.add_url_rule("/till", "count", lambda: str(session.setdefault("n", 1)))
    assert "; Path=/shop/till;" in app.test_client().get("/till").headers["Set-Cookie"]


def test_a_permanent_session_stays_so_when_somebody_logs_in(sessions: Sessions) -> None:
    """In the request that begins it too: Flask-Login's log-in gives it another id, and not another life."""
    app = with_flask_login(sessions)

    def log_in() -> str:
        session.permanent = True
        login_user(Named("zoe"))
        return "ok"

    app.add_url_rule("/", "log_in", log_in)
    app.add_url_rule("/permanent", "permanent", lambda: str(session.permanent))
    browser = app.test_client()
    assert "Max-Age=2678400" in browser.get("/").headers["Set-Cookie"]
    assert browser.get("/permanent").text == "True"


def test_settings_of_flask_session_are_told() -> None:
    """They name a store, and would be passed over in silence."""
    app = flask.Flask("shop")
    app.config.update(SESSION_TYPE="redis", SESSION_REDIS=object())
    with pytest.warns(UserWarning, match=r"^the settings SESSION_REDIS, SESSION_TYPE are Flask-Session's.*store="):
        sessile.flask.init_app(app, secret=SECRET)
