"""Authlib's OAuth client, SQLAdmin and Starlette-WTF work on top, in Starlette and FastAPI."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx2
import pytest
import sqladmin
import starlette_wtf
import wtforms
from authlib.integrations.starlette_client import OAuth, OAuthError
from fastapi import FastAPI
from sqladmin.authentication import AuthenticationBackend
from sqlalchemy import Engine, create_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.pool import StaticPool
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route
from starlette.testclient import TestClient

import sessile.starlette
from sessile import Sessions
from sessile.testing import session_of

# Authlib --------------------------------------------------------------------------------------------------------------


class Provider:
    """An OAuth 2 server that lets everybody in as Zoe, with proof keys (RFC 7636)."""

    def __init__(self) -> None:
        self._challenges: dict[str, str] = {}
        self.app = Starlette(
            routes=[
                Route("/authorize", self.authorize),
                Route("/token", self.token, methods=["POST"]),
                Route("/me", self.me),
            ]
        )

    async def authorize(self, request: Request) -> Response:
        query = request.query_params
        code = f"code{len(self._challenges)}"
        self._challenges[code] = query["code_challenge"]
        return RedirectResponse(query["redirect_uri"] + "?" + urlencode({"code": code, "state": query["state"]}))

    async def token(self, request: Request) -> Response:
        form = {name: values[0] for name, values in parse_qs((await request.body()).decode()).items()}
        digest = hashlib.sha256(form["code_verifier"].encode()).digest()
        if base64.urlsafe_b64encode(digest).rstrip(b"=").decode() != self._challenges.pop(form["code"]):
            return JSONResponse({"error": "invalid_grant"}, 400)
        return JSONResponse({"access_token": "a token", "token_type": "Bearer", "expires_in": 3600})

    async def me(self, request: Request) -> Response:
        return JSONResponse({"sub": "zoe" if request.headers["authorization"] == "Bearer a token" else None})


@pytest.fixture
def oauth_site(sessions: Sessions) -> TestClient:
    """A site where one logs in by the provider, and whose test client reaches the provider too."""
    provider = Provider().app
    oauth = OAuth()
    oauth.register(
        "provider",
        client_id="shop",
        client_secret="the shop's",
        authorize_url="https://provider.example/authorize",
        access_token_url="https://provider.example/token",
        api_base_url="https://provider.example/",
        client_kwargs={"code_challenge_method": "S256", "transport": httpx2.ASGITransport(provider)},
    )

    async def login(request: Request) -> Response:
        response: Response = await oauth.provider.authorize_redirect(request, str(request.url_for("back")))
        return response

    async def back(request: Request) -> Response:
        try:
            token = await oauth.provider.authorize_access_token(request)
        except OAuthError as error:
            return PlainTextResponse(str(error), 400)
        user = (await oauth.provider.get("me", token=token)).json()
        sessile.starlette.session(request).login(user["sub"])
        return RedirectResponse("/")

    async def home(request: Request) -> Response:
        return PlainTextResponse(str(sessile.starlette.session(request).user_id))

    routes = [Route("/", home), Route("/login", login), Route("/back", back, name="back")]
    middleware = [Middleware(sessile.starlette.SessionMiddleware, sessions=sessions)]
    site = TestClient(Starlette(routes=routes, middleware=middleware))
    site.provider = TestClient(provider, base_url="https://provider.example", follow_redirects=False)  # type: ignore[attr-defined]
    return site


def at_the_provider(site: TestClient) -> str:
    """Begin to log in, and return the address to which the provider sends back."""
    response = site.get("/login", follow_redirects=False)
    address = urlsplit(response.headers["location"])
    assert address.netloc == "provider.example"
    back: str = site.provider.get(f"{address.path}?{address.query}").headers["location"]  # type: ignore[attr-defined]
    return back


def test_authlib_logs_in(oauth_site: TestClient, sessions: Sessions) -> None:
    """What it keeps in the session between the two requests is there, and gone after."""
    back = at_the_provider(oauth_site)
    with session_of(oauth_site, sessions) as session:
        assert [key.startswith("_state_provider_") for key in session] == [True]
        before = session.id
    assert oauth_site.get(back).text == "zoe"
    with session_of(oauth_site, sessions) as session:
        assert session == {}
        assert session.id != before
    assert sessions.open(before) is None


def test_authlib_refuses_what_another_visitor_began(oauth_site: TestClient) -> None:
    """The state is in nobody else's session."""
    back = at_the_provider(oauth_site)
    oauth_site.cookies.clear()
    response = oauth_site.get(back)
    assert (response.status_code, "mismatching_state" in response.text) == (400, True)


# SQLAdmin -------------------------------------------------------------------------------------------------------------


class Base(DeclarativeBase):
    pass


class Knot(Base):
    __tablename__ = "knots"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]


class KnotAdmin(sqladmin.ModelView, model=Knot):
    column_list = ["name"]


class Guard(AuthenticationBackend):
    """Lets in who knows the password, with the session of the site."""

    def __init__(self) -> None:
        self.middlewares = []  # Instead of Starlette's sessions, which SQLAdmin would put in front.

    async def login(self, request: Request) -> bool:
        form = await request.form()
        if form["password"] != "fid":
            return False
        sessile.starlette.session(request).login(str(form["username"]))
        return True

    async def logout(self, request: Request) -> bool:
        sessile.starlette.session(request).logout()
        return True

    async def authenticate(self, request: Request) -> bool:
        return sessile.starlette.session(request).user_id is not None


@pytest.fixture
def engine() -> Iterator[Engine]:
    """A database in memory."""
    engine = create_engine("sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False})
    Base.metadata.create_all(engine)
    yield engine
    engine.dispose()


def test_sqladmin_logs_in_and_out(sessions: Sessions, engine: Engine) -> None:
    """Its login is the site's login, under a new id, and its logout ends the session."""
    app = FastAPI()
    app.add_middleware(sessile.starlette.SessionMiddleware, sessions=sessions)
    admin = sqladmin.Admin(app, engine, authentication_backend=Guard())
    admin.add_view(KnotAdmin)
    site = TestClient(app)
    assert site.get("/admin/knot/list").url.path == "/admin/login"
    with session_of(site, sessions) as session:
        session["cart"] = ["rope"]
        before = session.id
    assert site.post("/admin/login", data={"username": "zoe", "password": "wrong"}).status_code == 400
    site.post("/admin/login", data={"username": "zoe", "password": "fid"})
    with session_of(site, sessions) as session:
        assert (session.user_id, session["cart"], session.id != before) == ("zoe", ["rope"], True)
    response = site.post("/admin/knot/create", data={"name": "bowline", "save": "Save"})
    assert (response.url.path, "bowline" in response.text) == ("/admin/knot/list", True)
    site.get("/admin/logout")
    assert site.get("/admin/knot/list").url.path == "/admin/login"
    assert sessions.count() == 0


# Starlette-WTF --------------------------------------------------------------------------------------------------------


class Order(starlette_wtf.StarletteForm):
    name = wtforms.StringField()


@starlette_wtf.csrf_protect
async def order(request: Request) -> Response:
    form = await Order.from_formdata(request)
    if await form.validate_on_submit():
        return PlainTextResponse(f"one {form.name.data}")
    return PlainTextResponse(str(form.csrf_token))


@pytest.fixture
def form_site(sessions: Sessions) -> TestClient:
    """A site with a form."""
    middleware = [
        Middleware(sessile.starlette.SessionMiddleware, sessions=sessions),
        Middleware(starlette_wtf.CSRFProtectMiddleware, csrf_secret="another secret, for the forms"),
    ]
    return TestClient(Starlette(routes=[Route("/", order, methods=["GET", "POST"])], middleware=middleware))


def token_in(page: Any) -> str:
    found = re.search(r'value="([^"]+)"', page.text)
    assert found is not None
    return found[1]


def test_a_form_is_taken_with_the_token_of_its_session(form_site: TestClient) -> None:
    """The token that stands in the form belongs to what stands in the session."""
    token = token_in(form_site.get("/"))
    assert form_site.post("/", data={"name": "rope", "csrf_token": token}).text == "one rope"


@pytest.mark.parametrize("whose", ["nobody's", "another visitor's"])
def test_a_form_is_refused_with_any_other(form_site: TestClient, whose: str) -> None:
    """Status 403, whoever's token it is."""
    token = ""
    if whose != "nobody's":
        token = token_in(form_site.get("/"))
        form_site.cookies.clear()
    form_site.get("/")
    assert form_site.post("/", data={"name": "rope", "csrf_token": token}).status_code == 403


def test_a_logout_makes_the_tokens_of_before_worthless(form_site: TestClient, sessions: Sessions) -> None:
    """They were of a session that is no more."""
    token = token_in(form_site.get("/"))
    with session_of(form_site, sessions) as session:
        session.destroy()
    form_site.get("/")
    assert form_site.post("/", data={"name": "rope", "csrf_token": token}).status_code == 403
