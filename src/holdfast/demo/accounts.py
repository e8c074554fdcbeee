# A failed attempt leaves no trace in the session: the page is answered at once, not by a message and a redirect. So
# somebody who guesses passwords without a cookie gets none, and the store gets no record for each guess.
"""Sign up, log in, log out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, TypeVar

from anyio import CapacityLimiter, to_thread
from fastapi import APIRouter, Depends, Form, Request, Response
from fastapi.responses import RedirectResponse

from holdfast import Session
from holdfast.demo.pages import Pages, pages
from holdfast.demo.users import BadSignUp, NameTaken, User, Users
from holdfast.fastapi import session

__all__ = ["router"]

router = APIRouter()

T = TypeVar("T")

SessionOf = Annotated[Session, Depends(session)]
PagesOf = Annotated[Pages, Depends(pages)]
Text = Annotated[str, Form()]


def users(request: Request) -> Users:
    """Return the users of the application that serves this request."""
    found: Users = request.app.state.users
    return found


UsersOf = Annotated[Users, Depends(users)]

#: Hashing a password takes 64 MiB and a few hundredths of a second of one core: so many at a time, the others wait.
_hashing = CapacityLimiter(4)


async def _in_thread(call: Callable[[str, str], T], name: str, password: str) -> T:
    return await to_thread.run_sync(call, name, password, limiter=_hashing)


def _admit(session: Session, user: User) -> Response:
    # A new id, for an id that somebody planted before must not become a logged-in one; the cart stays.
    session.login(user.id)
    session["name"] = user.name
    session.flash(f"Welcome aboard, {user.name}.")
    return RedirectResponse("/", 303)


@router.get("/signup")
async def show_sign_up(request: Request, pages: PagesOf) -> Response:
    """Show the form to sign up."""
    return await pages.render(request, "signup.html")


@router.post("/signup")
async def sign_up(
    request: Request,
    session: SessionOf,
    pages: PagesOf,
    users: UsersOf,
    name: Text = "",
    password: Text = "",
) -> Response:
    """Add a user, and log in."""
    try:
        user = await _in_thread(users.register, name, password)
    except BadSignUp as problem:
        status = 409 if isinstance(problem, NameTaken) else 422
        return await pages.render(request, "signup.html", status, problem=str(problem), name=name)
    return _admit(session, user)


@router.get("/login")
async def show_log_in(request: Request, pages: PagesOf) -> Response:
    """Show the form to log in."""
    return await pages.render(request, "login.html")


@router.post("/login")
async def log_in(
    request: Request,
    session: SessionOf,
    pages: PagesOf,
    users: UsersOf,
    name: Text = "",
    password: Text = "",
) -> Response:
    """Log in, or say that the name or the password is wrong, and not which."""
    user = await _in_thread(users.authenticate, name, password)
    if user is None:
        problem = "That name and password do not belong together."
        return await pages.render(request, "login.html", 401, problem=problem, name=name)
    return _admit(session, user)


@router.post("/logout")
async def log_out(session: SessionOf) -> Response:
    """End the session: the record is removed, the browser's cookie expired."""
    session.logout()
    return RedirectResponse("/goodbye", 303)


@router.get("/goodbye")
async def show_goodbye(request: Request, session: SessionOf, pages: PagesOf) -> Response:
    """Show that nothing is left. Begins no session, so that this can be seen."""
    if not session.is_new:
        return RedirectResponse("/", 303)
    return await pages.render(request, "goodbye.html")
