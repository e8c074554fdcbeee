# A failed attempt leaves no trace in the session: the page is answered at once, not by a message and a redirect. So
# somebody who guesses passwords without a cookie gets none, and the store gets no record for each guess.
#
# A change of password ends the sessions that there are (password.py). One that is being begun with the old password,
# verified a moment before and stored a moment after, would outlive that. So a log-in looks again once it is stored:
# either the change has found the session, or the session finds the change.
"""Sign up, log in, log out."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from sessile import Session
from sessile.demo.dependencies import PagesOf, SessionOf, Text, UsersOf
from sessile.demo.device import describe
from sessile.demo.hashing import in_thread
from sessile.demo.users import BadSignUp, NameTaken, User

__all__ = ["router"]

router = APIRouter()


def _admit(request: Request, session: Session, user: User) -> None:
    # A new id, for an id that somebody planted before must not become a logged-in one; the cart stays.
    session.login(user.id, device=describe(request.headers.get("user-agent", "")))
    session["name"] = user.name
    session.flash(f"Welcome aboard, {user.name}.")


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
        user = await in_thread(users.register, name, password)
    except BadSignUp as problem:
        status = 409 if isinstance(problem, NameTaken) else 422
        return await pages.render(request, "signup.html", status, problem=str(problem), name=name)
    _admit(request, session, user)
    return RedirectResponse("/", 303)


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
    user = await in_thread(users.authenticate, name, password)
    if user is None:
        problem = "Wrong name or password."
        return await pages.render(request, "login.html", 401, problem=problem, name=name)
    _admit(request, session, user)
    await session.asave()
    if not await in_thread(users.is_current, user):
        session.logout()
        return RedirectResponse("/login", 303)
    return RedirectResponse("/", 303)


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
