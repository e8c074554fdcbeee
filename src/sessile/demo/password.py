# To change a password, users prove that they know the present one, however recent the log-in (OWASP ASVS 6.2.3): an
# unlocked screen must not be enough to lock its owner out. So `session.is_fresh`, which is for what needs no password
# of its own, is not asked here; the form is the re-authentication (7.5.1), and the session says so.
#
# The order:
#
#   1. The password is changed, if the present one was right. From here on nobody gets in with the old one.
#   2. This session gets a new id, and is stored under it. So the old id, should anybody know it, ends like the others.
#   3. All others are ended (7.4.3). That is last, so that the one that is kept is the one of step 2.
#
# Who was logging in with the old password meanwhile is found out by the log-in itself (accounts.py).
"""Change one's password."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from sessile.demo.dependencies import PagesOf, SessionOf, SessionsOf, Text, UserId, UsersOf
from sessile.demo.devices import others
from sessile.demo.hashing import in_thread
from sessile.demo.users import BadSignUp

__all__ = ["router"]

router = APIRouter(prefix="/password")


@router.get("")
async def show_change(request: Request, user_id: UserId, pages: PagesOf) -> Response:
    """Show the form."""
    return await pages.render(request, "password.html")


@router.post("")
async def change(
    request: Request,
    session: SessionOf,
    sessions: SessionsOf,
    user_id: UserId,
    users: UsersOf,
    pages: PagesOf,
    present: Text = "",
    new: Text = "",
) -> Response:
    """Change the password and end all other sessions; or say that the present one is wrong, and change nothing."""
    try:
        changed = await in_thread(users.change_password, user_id, present, new)
    except BadSignUp as error:
        return await pages.render(request, "password.html", 422, problem=str(error))
    if not changed:
        problem = "That is not your present password. Nothing was changed."
        return await pages.render(request, "password.html", 401, problem=problem)
    session.reauthenticated()
    await session.asave()
    ended = await sessions.arevoke_user(user_id, keep=session)
    if session.user_id is not None:
        session.flash(f"Your password is changed. {others(ended)}")
    return RedirectResponse("/devices", 303)
