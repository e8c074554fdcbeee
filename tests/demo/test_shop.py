"""The shelf, the cart, the visit counter"""

from __future__ import annotations

from pathlib import Path

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from sessile import Sessions
from sessile.demo.app import COOKIE_NAME, create_app
from sessile.demo.catalogue import PRODUCTS, price
from sessile.testing import FrozenClock
from tests.conftest import SECRET
from tests.demo.conftest import Guest, shown, token

DAY = 86_400


def test_the_front_page_counts_visits(guest: TestClient) -> None:
    """The first visit begins a session; each visitor's count is his own."""
    response = guest.get("/")
    assert "Max-Age=2592000" in response.headers["set-cookie"]
    assert "HttpOnly" in response.headers["set-cookie"]
    assert "SameSite=Lax" in response.headers["set-cookie"]
    assert shown(response.text, "visits") == "1"
    assert shown(guest.get("/").text, "visits") == "2"


def test_each_visitor_has_a_count(new_guest: Guest) -> None:
    """Visitors do not see each other's numbers."""
    one, other = new_guest(), new_guest()
    one.get("/")
    one.get("/")
    assert shown(other.get("/").text, "visits") == "1"


def test_every_product_is_on_the_shelf_with_its_drawing(guest: TestClient) -> None:
    """Each product has a name, a price, a drawing and a button."""
    page = guest.get("/").text
    for product in PRODUCTS:
        assert product.name in page
        assert price(product.price) in page
        assert f'value="{product.slug}"' in page
    assert page.count('<div class="art ') == page.count('viewBox="0 0 240 180"') == len(PRODUCTS)


def test_the_cart_adds_up(guest: TestClient) -> None:
    """What is put in is counted and priced; a message says so, once."""
    guest.post("/cart", data={"slug": "trefoil"})
    guest.post("/cart", data={"slug": "trefoil"})
    page = guest.post("/cart", data={"slug": "horn-cleat"}).text
    assert "Horn cleat is in your cart." in page
    assert shown(page, "cart-count") == "3"
    assert shown(page, "total") == "€ 66.50"
    assert "is in your cart." not in guest.get("/cart").text


@pytest.mark.parametrize(
    ("quantity", "count"), [("5", "5"), ("0", "0"), ("-3", "0"), ("100000", "99"), ("9" * 5000, "1"), ("two", "1")]
)
def test_a_quantity_can_be_changed(guest: TestClient, quantity: str, count: str) -> None:
    """A quantity is between one and 99, none removes the product, and what is no number changes nothing."""
    guest.post("/cart", data={"slug": "trefoil"})
    guest.post("/cart/trefoil", data={"quantity": quantity})
    assert shown(guest.get("/cart").text, "cart-count") == count


def test_an_emptied_cart_leaves_nothing_behind(guest: TestClient, records: Sessions) -> None:
    """Taking the last thing out removes the cart from the record."""
    guest.post("/cart", data={"slug": "trefoil"})
    page = guest.post("/cart/trefoil", data={"quantity": "0"}).text
    assert "Trefoil ring is back on the shelf." in page
    assert [dict(session) for session in records.all()] == [{}]


@pytest.mark.parametrize("slug", ["anchor", "../users.db", "__proto__", "art/trefoil"])
def test_an_unknown_product_is_refused(guest: TestClient, records: Sessions, slug: str) -> None:
    """Only what is on the shelf goes into the cart."""
    assert guest.post("/cart", data={"slug": slug}).status_code == 404
    assert guest.post(f"/cart/{slug}", data={"quantity": "1"}).status_code in (404, 405)
    assert records.count() == 0


def test_a_page_that_is_not_there_is_a_page(guest: TestClient) -> None:
    """A wrong address gets the shop's own page with status 404, and no session."""
    response = guest.get("/nowhere")
    assert response.status_code == 404
    assert "Nothing is moored here." in response.text
    assert "set-cookie" not in response.headers


def test_the_cart_outlives_a_restart(app: FastAPI, folder: Path, clock: FrozenClock) -> None:
    """Another process with the same folder finds the same cart."""
    with TestClient(app, base_url="http://shop.test") as guest:
        guest.post("/cart", data={"slug": "trefoil"})
        cookie = token(guest) or ""
    again = TestClient(create_app(folder, secret=SECRET, clock=clock), base_url="http://shop.test")
    again.cookies.set(COOKIE_NAME, cookie)
    assert shown(again.get("/cart").text, "cart-count") == "1"


def test_the_cart_is_kept_for_thirty_days_after_the_last_visit(guest: TestClient, clock: FrozenClock) -> None:
    """Each visit begins the thirty days anew; after thirty days without one, the cart is gone."""
    guest.post("/cart", data={"slug": "trefoil"})
    cookie = token(guest) or ""
    for days, count in ((29, "1"), (29, "1"), (31, "0")):
        clock.advance(days * DAY)
        # The jar of the test client goes by the real clock, so the cookie is sent by hand.
        guest.cookies.clear()
        page = guest.get("/cart", headers={"cookie": f"{COOKIE_NAME}={cookie}"}).text
        assert shown(page, "cart-count") == count


def test_nothing_on_a_page_comes_from_elsewhere(guest: TestClient) -> None:
    """Pages allow their own styles and scripts only, may not be framed, and are not kept in caches."""
    response = guest.get("/")
    policy = response.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'")
    assert "frame-ancestors 'none'" in policy
    assert "http" not in policy
    assert response.headers["cache-control"] == "no-store"
    for static in ("shop.css", "shop.js", "favicon.svg"):
        answer = guest.get(f"/static/{static}")
        assert answer.status_code == 200
        assert "set-cookie" not in answer.headers
        assert "url(" not in answer.text


@pytest.mark.parametrize(
    "headers",
    [
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"sec-fetch-site": "cross-site", "origin": "http://shop.test"},
        {"origin": "http://evil.test"},
        {"origin": "http://shop.test:8001"},
        {"origin": "null"},
        {"origin": "http://["},
    ],
)
def test_a_form_of_another_site_is_refused(guest: TestClient, headers: dict[str, str]) -> None:
    """Whatever changes something answers 403 to a form that another site sent, and changes nothing."""
    guest.post("/cart", data={"slug": "trefoil"})
    for path in ("/cart", "/cart/trefoil", "/login", "/signup", "/logout"):
        response = guest.post(path, data={"slug": "trefoil", "quantity": "7"}, headers=headers)
        assert response.status_code == 403
    assert shown(guest.get("/cart").text, "cart-count") == "1"


@pytest.mark.parametrize(
    "headers",
    [{"sec-fetch-site": "same-origin"}, {"sec-fetch-site": "none"}, {"origin": "http://shop.test"}, {}],
)
def test_our_own_forms_are_accepted(guest: TestClient, headers: dict[str, str]) -> None:
    """Our own pages, a person who typed the address, and programs that are no browser may send forms."""
    assert guest.post("/cart", data={"slug": "trefoil"}, headers=headers).status_code == 200


def test_links_from_other_sites_work(guest: TestClient) -> None:
    """A visitor who follows a link finds the shop."""
    assert guest.get("/", headers={"sec-fetch-site": "cross-site"}).status_code == 200
