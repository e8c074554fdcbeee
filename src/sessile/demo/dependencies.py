"""What the routes ask for: the session, who is logged in, the pages, the users."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Form, Request

from sessile import Session, Sessions
from sessile.demo.pages import Pages
from sessile.demo.users import Users
from sessile.fastapi import session

__all__ = ["NotLoggedIn", "PagesOf", "SessionOf", "SessionsOf", "Text", "UserId", "UsersOf"]


class NotLoggedIn(Exception):
    """Says that a page is for those who have logged in. The answer is the way to the log-in."""


def _user_id(session: SessionOf) -> int:
    if not isinstance(session.user_id, int):
        raise NotLoggedIn
    return session.user_id


def _pages(request: Request) -> Pages:
    found: Pages = request.app.state.pages
    return found


def _users(request: Request) -> Users:
    found: Users = request.app.state.users
    return found


def _sessions(request: Request) -> Sessions:
    found: Sessions = request.app.state.sessions
    return found


Text = Annotated[str, Form()]
SessionOf = Annotated[Session, Depends(session)]
SessionsOf = Annotated[Sessions, Depends(_sessions)]
#: The id of the user who has logged in; a visitor who has not is sent to do so.
UserId = Annotated[int, Depends(_user_id)]
UsersOf = Annotated[Users, Depends(_users)]
PagesOf = Annotated[Pages, Depends(_pages)]
