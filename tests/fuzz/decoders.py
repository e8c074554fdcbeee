"""Every decoder and parser that reads what strangers send, or what another program has stored."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace

from sessile import RequestFacts, Sessions, cookies, merge
from sessile._engine.forms import make_content
from sessile._engine.index import keys_of
from sessile._records.attributes import original_max_age, parse_iso, refresh
from sessile._records.locks import lock_in
from sessile._records.record import decode, encode, same
from sessile._records.tombstone import found_in
from sessile._wire.origins import Origins
from sessile._wire.proxy import is_secure, trust_in
from sessile.codecs import Encrypted, Msgpack
from sessile.options import Options
from sessile.stores.cookie import CookieStore

SECRET = "a secret that is long enough for tests!"
SID = "A" * 32

_sessions = Sessions(secret=SECRET)
_sealed = Sessions(secret=SECRET, token="encrypted")
_bearer = Sessions(secret=SECRET, transport="bearer")
_contents = [make_content(Options(secret=SECRET), CookieStore(form)) for form in ("encrypted", "cookie-session")]
_trust = trust_in(["10.0.0.0/8", "loopback"])
_msgpack, _encrypted = Msgpack(), Encrypted(SECRET)


def _cookie_header(data: bytes) -> None:
    for sessions in (_sessions, _sealed, _bearer):
        sessions.engine.begin_sync(data, RequestFacts)
    for content in _contents:
        content.open(data)
    found = cookies.parse(data.decode("latin-1"))
    cookies.json_cookies(dict(cookies.signed_cookies(found, SECRET)))
    cookies.json_cookies(dict(found))


def _token(data: bytes) -> None:
    for sessions in (_sessions, _sealed):
        sessions.sid_of(data.decode("latin-1"))


def _record(data: bytes) -> None:
    contents = decode(data)
    found_in(SID, data)
    if contents is None:
        return
    written = encode(contents)
    assert decode(written) is not None
    assert same(contents, data)
    lock_in(contents.system)
    keys_of(contents.system)
    cookie = dict(contents.cookie or {})
    original_max_age(cookie)
    parse_iso(cookie.get("expires"))
    refresh(cookie, 0.0)
    whole = dict(contents.data)
    for function in (merge.add, merge.union, merge.append, merge.largest, merge.smallest, merge.first):
        merge.merge(whole, {**whole, "a": [1]}, {**whole, "a": "b"}, functions={"a": function}, depth=2)


def _stored_session(data: bytes) -> None:
    sessions = Sessions(secret=SECRET)
    sessions.store.create(SID, data, 1000)
    session = sessions.engine.begin_sync(f"connect.sid={sessions.token_of(SID)}".encode(), RequestFacts)
    looks = (session.user_id, session.created_at, session.logged_in_at, session.claims, session.last_seen)
    assert len(looks) == 5
    session["fuzz"] = 1
    sessions.engine.commit_sync(session)


def _index(data: bytes) -> None:
    sessions = Sessions(secret=SECRET)
    index = sessions.engine.setup.index_of(sessions.store)
    index.create(keys_of({"user": "zoe"})[0], data, 1000)
    assert sessions.of_user("zoe") == []
    sessions.revoke_user("zoe")


def _request_headers(data: bytes) -> None:
    names = (b"origin", b"host", b"sec-fetch-site", b"x-forwarded-proto", b"x-forwarded-for", b"x-forwarded-host")
    headers = tuple(zip(names, data.split(b"\n"), strict=False))
    facts = RequestFacts(method="POST", headers=headers, client="10.0.0.1")
    for trust in (False, True, _trust):
        is_secure(facts, trust)
        for websocket in (False, True):
            Origins(["https://app.test"], ["/hook/"]).refusal(facts, trust, websocket=websocket)


def _codecs(data: bytes) -> None:
    for codec in (_msgpack, _encrypted):
        codec.decode(data, SID)


#: By name: what is fuzzed, and inputs to begin with, which are the corpus.
DECODERS: dict[str, SimpleNamespace] = {}


def _register(name: str, run: Callable[[bytes], None], *corpus: bytes) -> None:
    DECODERS[name] = SimpleNamespace(run=run, corpus=list(corpus))


_RECORDS = (
    b'{"cookie":{"originalMaxAge":60000,"expires":"2030-01-01T00:00:00.000Z","path":"/"},"n":1,"list":[1.5,{"a":null}]}',
    b'{"cookie":{"originalMaxAge":null},"sessile":{"user":"zoe","auth_time":1.5,"created":1,"claims":{"a":1}}}',
    b'{"cookie":{},"sessile":{"rotated":"AAAA","until":1e300,"tells":true,"lock":{"fence":1,"until":9}}}',
    b'{"10":1.0,"2":"\\ud800","a":[[[[]]]],"b":1e21,"c":' + b"9" * 400 + b"}",
)
_register(
    "cookie header",
    _cookie_header,
    b"connect.sid=" + _sessions.token_of(SID).encode() + b'; a="b"; connect.sid=s%3Ax.y; j=j:{"a":1}; s=s:a.b; c=%zz',
    b"Bearer " + _bearer.token_of(SID).encode(),
    b"connect.sid=c.AAAA; connect.sid=eyJhIjoxfQ==; connect.sid.sig=abc",
)
_register("token", _token, _sessions.token_of(SID).encode(), _sealed.token_of(SID).encode())
_register("record", _record, *_RECORDS)
_register("stored session", _stored_session, *_RECORDS)
_register("index", _index, b'{"sessions":{"a":1.5}}', b'{"sessions":[]}')
_register(
    "request headers", _request_headers, b"https://a.test\na.test:443\nsame-site\nhttps,http\n10.0.0.2, 1.2.3.4\nb"
)
_register("codecs", _codecs, _msgpack.encode(_RECORDS[0], SID), _encrypted.encode(_RECORDS[0], SID))
