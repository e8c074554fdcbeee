"""What the shop sells. The drawing of each product is templates/art/<slug>.svg."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["PRODUCTS", "Product", "price", "product"]


@dataclass(frozen=True, slots=True)
class Product:
    """One thing on the shelf."""

    #: Its name in URLs, in the cart and of its drawing.
    slug: str
    name: str
    #: A line of small print: what it is made of, how large it is.
    detail: str
    description: str
    #: In cents.
    price: int


PRODUCTS = (
    Product(
        "hemp-line",
        "Three-strand hemp",
        "12 mm × 20 m",
        "Laid, not braided. It smells of the harbour, and it lets you know before it gives way.",
        38_00,
    ),
    Product(
        "horn-cleat",
        "Horn cleat",
        "Ash, 180 mm",
        "One turn, one figure of eight, one hitch. What you make fast here is still there tomorrow.",
        24_50,
    ),
    Product(
        "bow-shackle",
        "Bow shackle",
        "Bronze, 10 mm pin",
        "A round turn of metal that takes load from any side. Mouse the pin and forget about it.",
        17_00,
    ),
    Product(
        "single-block",
        "Single block",
        "Elm shell, bronze sheave",
        "Turns a pull into the direction that you wanted. Runs on a film of its own patience.",
        46_00,
    ),
    Product(
        "monkeys-fist",
        "Monkey’s fist",
        "Cotton, 65 mm",
        "Three turns, three times over, round a cork. The end of the line that arrives first.",
        12_00,
    ),
    Product(
        "trefoil",
        "Trefoil ring",
        "Spliced without an end",
        "The one knot here that cannot be untied. There is a proof; we keep it below the counter.",
        21_00,
    ),
)

_BY_SLUG = {each.slug: each for each in PRODUCTS}


def product(slug: str) -> Product | None:
    """Return the product called ``slug``, or None if the shop has none."""
    return _BY_SLUG.get(slug)


def price(cents: int) -> str:
    """Return an amount as it stands on a price tag."""
    return f"€ {cents // 100}.{cents % 100:02}"
