# A form names a session by its handle, and a handle is looked up in the list of the user who sent the form, nowhere
# else. So nobody can end the session of somebody else, whatever they post; and the answer is the same for a handle of
# somebody else as for one that is over or never was.
"""Your devices: where a user is logged in, and the end of it (OWASP ASVS 7.5.2)."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from sessile.demo.dependencies import PagesOf, SessionOf, SessionsOf, Text, UserId, UsersOf
from sessile.demo.hashing import in_thread

__all__ = ["others", "router"]

router = APIRouter(prefix="/devices")


def others(count: int) -> str:
    """Return what is said of ``count`` sessions that were ended."""
    if count == 0:
        return "No other device was logged in."
    return f"{count} other {'device was' if count == 1 else 'devices were'} logged out."


@router.get("")
async def show_devices(
    request: Request, session: SessionOf, sessions: SessionsOf, user_id: UserId, pages: PagesOf, users: UsersOf
) -> Response:
    """Show where the user is logged in: here first, then what was used last."""
    devices = await sessions.aof_user(user_id, current=session)
    devices.sort(key=lambda device: not device.is_current)
    operates = await in_thread(users.is_administrator, user_id)
    return await pages.render(request, "devices.html", devices=devices, operates=operates)


@router.post("/end")
async def end(session: SessionOf, sessions: SessionsOf, user_id: UserId, handle: Text = "") -> Response:
    """End one session of the user's, at once: its next request finds none."""
    devices = await sessions.aof_user(user_id, current=session)
    found = next((device for device in devices if device.handle == handle), None)
    if found is not None and found.is_current:
        session.logout()
        return RedirectResponse("/goodbye", 303)
    if found is not None and await found.arevoke():
        session.flash(f"{found.claims.get('device', 'The device')} was logged out.")
    else:
        session.flash("That device is not logged in any more.")
    return RedirectResponse("/devices", 303)


@router.post("/end-others")
async def end_others(session: SessionOf, sessions: SessionsOf, user_id: UserId) -> Response:
    """End all sessions of the user's but this one."""
    session.flash(others(await sessions.arevoke_user(user_id, keep=session)))
    return RedirectResponse("/devices", 303)
