"""What is known of the users of django.contrib.auth: the list, the limit, their end, and what is told of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth import SESSION_KEY, get_user_model
from django.test import AsyncClient, Client, override_settings

import sessile.django
from sessile import Lifetime, StoreUnavailable
from sessile._engine.index import key_of
from sessile._records.fields import MAC, VERSION
from sessile._records.record import AUTHENTICATED, CREATED, USER, Contents, decode, encode
from sessile.django import SessionStore
from tests.django.test_project import DJANGO, PLAIN, SIGNED, Site

EACH = pytest.mark.parametrize("middleware", [DJANGO, PLAIN, SIGNED], ids=["django", "plain", "signed"])


@pytest.fixture(params=[DJANGO, PLAIN, SIGNED], ids=["django", "plain", "signed"])
def site(request: Any) -> Iterator[Site]:
    made = Site(request.param)
    with made.settings:
        yield made


@pytest.fixture(scope="module")
def zoe(project: None) -> Iterator[Any]:
    user = get_user_model().objects.create_superuser("zoe", "zoe@example.com", "sesame")
    yield user
    user.delete()


@pytest.fixture(scope="module")
def bob(project: None) -> Iterator[Any]:
    user = get_user_model().objects.create_user("bob", "bob@example.com", "sesame")
    yield user
    user.delete()


def logged_in(site: Site, number: int = 1, user: str = "zoe") -> list[Client]:
    clients = [Client() for _ in range(number)]
    for each in clients:
        site.visit(each, "login", user=user)
    return clients


def of_user(user: Any) -> list[Any]:
    found: list[Any] = sessile.django.sessions().of_user(str(user.pk))
    return found


def named(site: Site, user: Any) -> int:
    """Return how many sessions the index of ``user`` names, whether or not they are there."""
    record = sessile.django.sessions().engine.setup.index_of(site.store).load(key_of(USER, str(user.pk)))
    return 0 if record is None else len(decode(record.payload).data["sessions"])  # type: ignore[union-attr]


def system(site: Site) -> dict[str, Any]:
    """Return our own fields in the record of the only session."""
    (record,) = site.store._records.values()
    found = decode(record.payload)
    assert found is not None
    return found.system


# Who is logged in -----------------------------------------------------------------------------------------------------


def test_a_log_in_is_listed_and_the_asking_session_marked(site: Site, zoe: Any, bob: Any) -> None:
    """For the page "your devices"; of another user's sessions it shows none."""
    laptop, phone = logged_in(site, 2)
    logged_in(site, 1, "bob")
    now = site.clock()
    assert sorted(site.visit(laptop, "devices").json()) == [[False, now, {}], [True, now, {}]]
    assert len(of_user(bob)) == 1
    site.visit(phone, "logout")
    assert site.visit(laptop, "devices").json() == [[True, now, {}]]


async def test_and_under_asyncio(site: Site, zoe: Any) -> None:
    """The same call, awaited; and all others are ended from there."""
    laptop, phone = AsyncClient(), AsyncClient()
    for each in (laptop, phone):
        await each.get("/alogin", {"user": "zoe"})
    assert sorted((await laptop.get("/adevices")).json()) == [False, True]
    assert (await laptop.get("/apassword")).content == b"1"
    assert (await laptop.get("/adevices")).json() == [True]
    assert (await phone.get("/ame")).content == b""
    await laptop.get("/alogout")
    assert await sessile.django.sessions().aof_user(str(zoe.pk)) == []


def test_the_session_says_who_it_is_at_once(site: Site, zoe: Any) -> None:
    """In the request of the log-in too, and in those after it."""
    client, now = Client(), site.clock()
    assert site.visit(client, "known").json() == [None, None, False]
    assert site.visit(client, "known", user="zoe").json() == [str(zoe.pk), now, True]
    site.clock.advance(61)
    assert site.visit(client, "known").json() == [str(zoe.pk), now, False]


def test_whoever_logs_in_by_the_admin_is_listed(site: Site, zoe: Any) -> None:
    """By its form, and gone from the list by its button."""
    client = Client()
    client.post("/admin/login/", {"username": "zoe", "password": "sesame", "next": "/admin/"})
    assert len(of_user(zoe)) == 1
    client.post("/admin/logout/")
    assert of_user(zoe) == []


def test_a_log_in_by_the_test_client_too(site: Site, zoe: Any) -> None:
    """force_login has no request, and writes to a SessionStore."""
    client = Client()
    client.force_login(zoe)
    assert site.visit(client, "devices").json() == [[True, site.clock(), {}]]


def test_a_logout_leaves_the_index(site: Site, zoe: Any) -> None:
    """An index does not grow with each log-in."""
    for _ in range(3):
        site.visit(*logged_in(site), "logout")
    assert named(site, zoe) == 0


def test_another_user_on_the_same_browser(site: Site, zoe: Any, bob: Any) -> None:
    """contrib.auth flushes: the session of before is in no list any more."""
    (client,) = logged_in(site)
    site.visit(client, "login", user="bob")
    assert (len(of_user(zoe)), len(of_user(bob)), named(site, zoe)) == (0, 1, 0)


def test_a_key_that_is_set_or_removed_by_hand_counts(site: Site, zoe: Any, bob: Any) -> None:
    """What stands in the data is what contrib.auth believes."""
    client = Client()
    site.visit(client, "write", **{SESSION_KEY: str(zoe.pk)})
    assert len(of_user(zoe)) == 1
    site.visit(client, "write", **{SESSION_KEY: str(bob.pk)})
    assert (len(of_user(zoe)), len(of_user(bob))) == (0, 1)
    site.visit(client, "forget")
    assert of_user(bob) == []
    assert set(system(site)) == {CREATED, MAC, VERSION}


def test_a_log_in_of_ours_beside_it_brings_claims(site: Site, zoe: Any) -> None:
    """And it is one log-in, of one user; what is written later leaves them alone."""
    client = Client()
    site.visit(client, "device", user="zoe", device="phone")
    site.visit(client, "write", n="1")
    assert site.visit(client, "devices").json() == [[True, site.clock(), {"device": "phone"}]]
    assert site.visit(client, "me").content == b"zoe"


def test_a_log_in_of_ours_alone_is_left_alone(site: Site) -> None:
    """contrib.auth knows nobody, and says nothing of it."""
    client = Client()
    site.visit(client, "verbs")
    site.visit(client, "write", n="7")
    assert site.visit(client, "known").json()[0] == "zoe"
    assert len(sessile.django.sessions().of_user("zoe")) == 1


def test_a_number_and_its_text_are_one_user(site: Site, zoe: Any) -> None:
    """A log-in of ours with the number itself becomes the text that contrib.auth writes."""
    made = SessionStore()
    made._session.login(zoe.pk, device="phone")
    made[SESSION_KEY] = zoe.pk
    made.save()
    assert [each.claims for each in of_user(zoe)] == [{"device": "phone"}]


# Their end ------------------------------------------------------------------------------------------------------------


def test_a_new_password_ends_the_others_at_once(site: Site, zoe: Any) -> None:
    """``revoke_user(keep=)`` after update_session_auth_hash, which has asked for a new key."""
    client, *others = logged_in(site, 3)
    assert site.visit(client, "password", new="sesame", revoke="1").content == b"2"
    assert [site.visit(each, "me").content for each in (client, *others)] == [b"zoe", b"", b""]
    assert site.visit(client, "devices").json() == [[True, site.clock(), {}]]
    assert named(site, zoe) == 1


def test_a_tenant_s_sessions_are_ended(site: Site, zoe: Any) -> None:
    """An index of the application's, entered after the log-in, and no other change of the session."""
    (client,) = logged_in(site)
    site.visit(client, "tenant")
    assert len(of_user(zoe)) == 1
    assert sessile.django.sessions().revoke_where("tenant", 5) == 1
    assert site.visit(client, "me").content == b""


@EACH
def test_beyond_the_limit_the_oldest_is_ended(middleware: str, zoe: Any) -> None:
    """``max_sessions_per_user``."""
    site = Site(middleware, max_sessions_per_user=2)
    with site.settings:
        clients = []
        for _ in range(3):
            clients += logged_in(site)
            site.clock.advance(1)
        assert [site.visit(each, "me").content for each in clients] == [b"", b"zoe", b"zoe"]


@EACH
def test_or_the_log_in_is_refused(middleware: str, zoe: Any) -> None:
    """``save()`` in the view says so, and ``flush()`` leaves nothing of the log-in."""
    site = Site(middleware, max_sessions_per_user=1, too_many_sessions="refuse")
    with site.settings:
        first, second = Client(), Client()
        assert site.visit(first, "limited", user="zoe").content == b"ok"
        assert site.visit(second, "limited", user="zoe").content == b"1 already"
        assert [site.visit(each, "me").content for each in (first, second)] == [b"zoe", b""]
        assert len(site.store._records) == 1


def test_a_session_is_listed_before_its_record_says_whose_it_is(site: Site, zoe: Any) -> None:
    """So whatever dies in between, no session is missing from the list."""
    seen: list[int] = []
    user = b'"user":"%d"' % zoe.pk
    for verb in ("create", "replace"):
        setattr(site.store, verb, _watch(getattr(site.store, verb), lambda: seen.append(named(site, zoe)), user))
    for before in ("ok", "write"):
        client = Client()
        site.visit(client, before, n="1")
        site.visit(client, "login", user="zoe")
    assert seen
    assert 0 not in seen


def test_without_an_index_nobody_is_logged_in(site: Site, zoe: Any) -> None:
    """It cannot be written: then there would be a session that no list shows."""
    room, client = site.store.index(), Client(raise_request_exception=False)
    room.create = room.replace = _fail  # type: ignore[method-assign]
    assert site.visit(client, "login", user="zoe").status_code == (500 if site.middleware == DJANGO else 503)
    assert site.visit(client, "me").content == b""


def _watch(method: Any, note: Any, needle: bytes) -> Any:
    def watched(sid: str, payload: bytes, *rest: Any) -> Any:
        if needle in payload:
            note()
        return method(sid, payload, *rest)

    return watched


def _fail(*_: Any) -> Any:
    raise StoreUnavailable("switched off")


# What is told, and what it costs --------------------------------------------------------------------------------------


@EACH
def test_a_log_in_is_told_once(middleware: str, zoe: Any) -> None:
    """Once the store has it; nothing else that such a session does is one."""
    told: list[str] = []
    site = Site(middleware, on_event=lambda event: told.append(event.name))
    with site.settings:
        for before in ("ok", "write"):
            client = Client()
            site.visit(client, before, n="1")
            told.clear()
            site.visit(client, "login", user="zoe")
            assert (told.count("logged_in"), told[-1]) == (1, "logged_in")
            for page in ("me", "write", "login", "password", "known", "logout"):
                site.visit(client, page, user="zoe", new="sesame", n="2")
            assert told.count("logged_in") == 1
        client.force_login(zoe)
        assert told.count("logged_in") == 2


def test_after_a_flush_the_same_user_has_logged_in_anew(site: Site, zoe: Any) -> None:
    """As contrib.auth does where the password was changed meanwhile."""
    (client,) = logged_in(site)
    site.clock.advance(100)
    kept = client.session
    kept["_auth_user_hash"] = "of another password"
    kept.save()
    site.visit(client, "login", user="zoe")
    assert [each.logged_in_at for each in of_user(zoe)] == [site.clock()]


@EACH
def test_a_copy_of_a_session_is_no_log_in(middleware: str, zoe: Any) -> None:
    """``create()`` of Django: the same data under a key of its own, and the other session is left alone."""
    told: list[str] = []
    site = Site(middleware, on_event=lambda event: told.append(event.name))
    with site.settings:
        (client,) = logged_in(site)
        then = site.clock()
        site.clock.advance(100)
        made = client.session
        assert made[SESSION_KEY] == str(zoe.pk)
        made.create()
        assert [each.logged_in_at for each in of_user(zoe)] == [then, then]
        assert told.count("logged_in") == 1


def test_only_a_log_in_asks_the_index(site: Site, zoe: Any) -> None:
    """A stranger costs nothing more; and a user who reads or writes asks the store for what a stranger asks."""
    of_index: list[str] = []
    room = site.store.index()
    for verb in ("load", "create", "replace", "touch", "delete"):
        setattr(room, verb, _count(getattr(room, verb), verb, of_index))

    def visits(client: Client) -> list[str]:
        of_index.clear()
        site.store.calls.clear()
        for page in ("everything", "write", "known", "nested"):
            site.visit(client, page, n="2")
        return list(site.store.calls)

    stranger = Client()
    site.visit(stranger, "write", n="1")
    expected = visits(stranger)
    assert of_index == []
    (client,) = logged_in(site)
    # The first log-in of a user looks under an older key as well. And a look again, where the record was there already.
    assert of_index in (["load", "load", "create"], ["load", "load", "create", "load"])
    assert visits(client) == expected
    assert of_index == []


def _count(method: Any, verb: str, calls: list[str]) -> Any:
    def counted(*arguments: Any) -> Any:
        calls.append(verb)
        return method(*arguments)

    return counted


# Sessions of before ---------------------------------------------------------------------------------------------------


def age(site: Site, *, keep: tuple[str, ...] = ()) -> None:
    """Make the record of the only session one of a time when we did not know the user."""
    (sid,) = site.store._records
    record = site.store.load(sid)
    found = decode(record.payload)
    ours = {name: value for name, value in found.system.items() if name in keep}
    ours = sessile.django.sessions().engine.setup.fields.sealed(ours, sid)
    site.store.replace(sid, encode(Contents(found.data, found.cookie, ours)), 1000, record.payload)
    site.store.index().clear()


def test_a_session_of_before_is_listed_from_its_next_visit_on(site: Site, zoe: Any) -> None:
    """It has logged in nobody knows when: it is not fresh, and no log-in is told."""
    (client,) = logged_in(site)
    age(site)
    assert of_user(zoe) == []
    assert site.visit(client, "me").content == b"zoe"
    assert [each.logged_in_at for each in of_user(zoe)] == [None]
    assert site.visit(client, "known").json() == [str(zoe.pk), None, False]
    assert sessile.django.sessions().counts()["logged_in"] == 1
    site.store.calls.clear()
    site.visit(client, "me")
    assert "replace" not in site.store.calls


@EACH
def test_and_ends_when_it_would_have_ended(middleware: str, zoe: Any) -> None:
    """The absolute limit of its life goes on counting from its beginning."""
    site = Site(middleware, lifetime=Lifetime(absolute=100))
    with site.settings:
        (client,) = logged_in(site)
        age(site, keep=(CREATED,))
        site.clock.advance(60)
        site.visit(client, "me")
        assert USER in system(site)
        assert AUTHENTICATED not in system(site)
        site.clock.advance(50)
        assert site.visit(client, "me").content == b""


def test_with_every_request_saved_too(site: Site, zoe: Any) -> None:
    """SESSION_SAVE_EVERY_REQUEST."""
    with override_settings(SESSION_SAVE_EVERY_REQUEST=True):
        (client,) = logged_in(site)
        age(site)
        site.visit(client, "ok")
        assert len(of_user(zoe)) == 1
        assert settings.SESSION_COOKIE_NAME in site.visit(client, "ok").cookies
