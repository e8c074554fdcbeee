# The cart is plain data in the session: {"cart": {"<slug>": <quantity>}}. The price is looked up, never remembered:
# what a visitor pays is not for the session to say.
"""What a visitor means to buy, kept in the session."""

from __future__ import annotations

from dataclasses import dataclass

from sessile import Session
from sessile.demo.catalogue import Product, product

__all__ = ["MOST", "Line", "count", "lines", "put", "total"]

#: The most of one thing that anybody may put into the cart.
MOST = 99


@dataclass(frozen=True, slots=True)
class Line:
    """One product in the cart."""

    product: Product
    quantity: int

    @property
    def total(self) -> int:
        """The price of this line, in cents."""
        return self.product.price * self.quantity


def _quantities(session: Session) -> dict[str, int]:
    found = session.get("cart")
    return found if isinstance(found, dict) else {}


def quantity(session: Session, slug: str) -> int:
    """Return how many of a product are in the cart."""
    return _quantities(session).get(slug, 0)


def put(session: Session, slug: str, quantity: int) -> None:
    """Have ``quantity`` of a product in the cart, at most MOST of it; with 0 or less it is taken out."""
    if quantity > 0:
        session.setdefault("cart", {})[slug] = min(quantity, MOST)
    elif slug in _quantities(session):
        del session["cart"][slug]
        if not session["cart"]:
            del session["cart"]


def lines(session: Session) -> list[Line]:
    """Return what is in the cart, in the order in which it was put there. What is sold no more is left out."""
    found = [(product(slug), quantity) for slug, quantity in _quantities(session).items()]
    return [Line(known, quantity) for known, quantity in found if known is not None]


def count(session: Session) -> int:
    """Return how many things are in the cart."""
    return sum(line.quantity for line in lines(session))


def total(session: Session) -> int:
    """Return the price of all that is in the cart, in cents."""
    return sum(line.total for line in lines(session))
