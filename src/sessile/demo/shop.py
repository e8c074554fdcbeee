"""The shelf and the cart."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Form, HTTPException, Request, Response
from fastapi.responses import RedirectResponse

from sessile.demo import cart
from sessile.demo.catalogue import PRODUCTS, Product, product
from sessile.demo.dependencies import PagesOf, SessionOf

__all__ = ["router"]

router = APIRouter()


def _product(slug: str) -> Product:
    found = product(slug)
    if found is None:
        raise HTTPException(404, "There is no such thing on our shelf.")
    return found


@router.get("/")
async def show_shelf(request: Request, session: SessionOf, pages: PagesOf) -> Response:
    """Show what there is, and count the visit: this is what begins a session."""
    session["visits"] = session.get("visits", 0) + 1
    return await pages.render(request, "shelf.html", products=PRODUCTS, visits=session["visits"])


@router.get("/cart")
async def show_cart(request: Request, session: SessionOf, pages: PagesOf) -> Response:
    """Show the cart."""
    context: dict[str, Any] = {"lines": cart.lines(session), "total": cart.total(session), "most": cart.MOST}
    return await pages.render(request, "cart.html", **context)


# A cart is one value, and two tabs may change it at once: in a transaction each change is made to the cart as it is
# stored now, not as it was when the request came in.


@router.post("/cart")
async def add(session: SessionOf, slug: Annotated[str, Form()]) -> Response:
    """Put one more of a product into the cart."""
    found = _product(slug)
    async with session.transaction():
        cart.put(session, slug, cart.quantity(session, slug) + 1)
        session.flash(f"{found.name} is in your cart.")
    return RedirectResponse("/cart", 303)


@router.post("/cart/{slug}")
async def change(session: SessionOf, slug: str, quantity: Annotated[int, Form()]) -> Response:
    """Have so many of a product in the cart; none takes it out."""
    found = _product(slug)
    async with session.transaction():
        before = cart.quantity(session, slug)
        cart.put(session, slug, quantity)
        if before and quantity <= 0:
            session.flash(f"{found.name} is back on the shelf.")
    return RedirectResponse("/cart", 303)
