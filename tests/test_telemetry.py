"""OpenTelemetry: what the real SDK exports, for each colour and kind of store."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode, Tracer, get_current_span

from sessile import RequestFacts, SessionError, Sessions, StoreUnavailable, asgi, wsgi
from sessile.stores.base import Connectable, Indexed, Iterable, Sweepable, can
from sessile.stores.memory import MemoryStore
from sessile.telemetry import instrument
from sessile.testing import FaultyStore
from tests.asgi import Browser, handler
from tests.conftest import SECRET
from tests.stores.redis_servers import Server, started


class Seen:
    """What the SDK has exported."""

    def __init__(self) -> None:
        self._spans = InMemorySpanExporter()
        self.tracers = TracerProvider()
        self.tracers.add_span_processor(SimpleSpanProcessor(self._spans))
        self._reader = InMemoryMetricReader()
        self.meters = MeterProvider([self._reader])

    @property
    def tracer(self) -> Tracer:
        return self.tracers.get_tracer("application")

    def instrument(self, *sessions: Sessions) -> None:
        instrument(*sessions, meter_provider=self.meters, tracer_provider=self.tracers)

    def spans(self) -> list[ReadableSpan]:
        """Return the spans that have ended since the last time."""
        spans = list(self._spans.get_finished_spans())
        self._spans.clear()
        return spans

    def metrics(self) -> dict[str, list[Any]]:
        """Return the points of each metric."""
        data = self._reader.get_metrics_data()
        (resource,) = data.resource_metrics if data else [None]
        (scope,) = resource.scope_metrics if resource else [None]
        return {metric.name: list(metric.data.data_points) for metric in (scope.metrics if scope else ())}

    def events(self) -> dict[str, int]:
        return {point.attributes["sessile.event"]: point.value for point in self.metrics()["sessile.events"]}


@pytest.fixture
def seen() -> Iterator[Seen]:
    seen = Seen()
    yield seen
    seen.tracers.shutdown()
    seen.meters.shutdown()


@pytest.fixture(scope="module")
def redis_server() -> Iterator[Server]:
    with started() as server:
        yield server


@pytest.fixture(params=["memory", "sqlite", "redis"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "redis":
        return f"redis://127.0.0.1:{request.getfixturevalue('redis_server').port}"
    return {"memory": "memory://", "sqlite": f"sqlite:///{tmp_path / 'sessions.db'}"}[request.param]


STORES = {"memory": ("MemoryStore", None), "sqlite": ("SqliteStore", "sqlite"), "redis": ("RedisStore", "redis")}

#: What a life in four requests asks a store: (verb, outcome), of each request.
LIFE: list[tuple[Callable[[Any], Any], list[tuple[str, str]]]] = [
    (lambda session: session.update(a=1), [("create", "created")]),
    (lambda session: session.get("a"), [("load", "found"), ("touch", "touched")]),
    (lambda session: session.update(a=2), [("load", "found"), ("replace", "replaced")]),
    (lambda session: session.destroy(), [("load", "found"), ("replace", "replaced"), ("delete", "deleted")]),
]


def asked_of(store: str, asked: Any) -> list[Any]:
    """Return what of ``asked`` a store is asked and waited for: Redis renews a life without anybody waiting."""
    return [each for each in asked if (store, each[0]) != ("RedisStore", "touch")]


def check(seen: Seen, url: str, lives: int = 1) -> None:
    """Look at what a life has left: spans below that of their request, and metrics."""
    spans = seen.spans()
    requests = [span for span in spans if span.name == "request"]
    assert len(requests) == len(LIFE) * lives
    name, system = STORES[url.partition(":")[0]]
    for request in requests:
        expected = asked_of(name, LIFE[request.attributes["number"]][1])  # type: ignore[index]
        below = [span for span in spans if span.parent and span.parent.span_id == request.context.span_id]
        assert [(span.name, span.attributes["sessile.outcome"]) for span in below] == [  # type: ignore[index]
            (f"sessile.{verb}", outcome) for verb, outcome in expected
        ]
        for span in below:
            about = dict(span.attributes or {})
            assert about.pop("sessile.outcome")
            assert about.pop("db.system.name", None) == system
            assert about == {"sessile.store": name, "sessile.part": "sessions"}
            assert request.start_time <= span.start_time <= span.end_time <= request.end_time  # type: ignore[operator]
    assert seen.events() == {
        name: number * lives for name, number in (("created", 1), ("loaded", 3), ("saved", 1), ("destroyed", 1))
    }
    points = seen.metrics()["sessile.store.duration"]
    assert {point.attributes["sessile.verb"]: point.count for point in points} == {
        verb: number * lives
        for verb in ("create", "load", "touch", "replace", "delete")
        if (number := sum(verb == each for _, asked in LIFE for each, _ in asked_of(name, asked)))
    }
    assert all(0 < point.sum < 60 for point in points)


async def test_an_asynchronous_application_is_seen(seen: Seen, url: str) -> None:
    """Under asyncio each call is below its own request, though several wait for the store at once."""
    sessions = Sessions(secret=SECRET, store=url)
    seen.instrument(sessions)

    async def live() -> None:
        jar: dict[str, str] = {}
        for number, (work, _) in enumerate(LIFE):
            app = asgi.SessionMiddleware(handler(lambda session, work=work: work(session)), sessions)
            with seen.tracer.start_as_current_span("request", attributes={"number": number}):
                await Browser(app, jar).get()

    await asyncio.gather(*(live() for _ in range(5)))
    check(seen, url, 5)
    closed = sessions.close()
    if closed is not None:
        await closed


def test_a_synchronous_application_is_seen(seen: Seen, url: str) -> None:
    """Each thread's calls are below its own request."""
    sessions = Sessions(secret=SECRET, store=url)
    seen.instrument(sessions)

    def live() -> None:
        browser = Browser(None)
        for number, (work, _) in enumerate(LIFE):

            def app(environ: Any, start_response: Any, work: Callable[[Any], Any] = work) -> list[bytes]:
                work(environ["sessile.session"])
                start_response("200 OK", [])
                return []

            def begun(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> None:
                for name, value in headers:
                    if name == "Set-Cookie":
                        browser.remember(value)

            cookie = "; ".join(f"{name}={value}" for name, value in browser.jar.items())
            with seen.tracer.start_as_current_span("request", attributes={"number": number}):
                list(wsgi.SessionMiddleware(app, sessions)({"HTTP_COOKIE": cookie, "PATH_INFO": "/"}, begun))

    async def in_threads() -> None:
        await asyncio.gather(*(asyncio.to_thread(live) for _ in range(5)))

    asyncio.run(in_threads())
    check(seen, url, 5)
    sessions.close()


async def test_what_a_driver_does_is_below_the_call(seen: Seen) -> None:
    """A span of the driver's own instrumentation belongs to the call that it serves."""
    inside: list[Any] = []

    class Slow(MemoryStore):
        async def create(self, sid: str, payload: bytes, ttl: float) -> bool:  # type: ignore[override]
            async def driver() -> bool:
                inside.append(get_current_span().get_span_context().span_id)
                return MemoryStore.create(self, sid, payload, ttl)

            return await asyncio.create_task(driver())

    sessions = Sessions(secret=SECRET, store=Slow())  # type: ignore[arg-type]
    seen.instrument(sessions)
    await Browser(asgi.SessionMiddleware(handler(lambda session: session.update(a=1)), sessions)).get()
    (span,) = seen.spans()
    assert inside == [span.context.span_id]
    assert not get_current_span().get_span_context().is_valid


def test_an_outage_is_seen_and_nothing_that_it_says(seen: Seen) -> None:
    """The type of the error, on the span and on the metric; its text may name a key or a password."""
    store = FaultyStore(MemoryStore())
    sessions = Sessions(secret=SECRET, store=store)
    seen.instrument(sessions)
    store.fail("create", error=ConnectionResetError("redis://user:password@host"))
    session = sessions.engine.begin_sync(b"", RequestFacts)
    session["a"] = 1
    with pytest.raises(StoreUnavailable):
        sessions.engine.commit_sync(session)
    (span,) = seen.spans()
    assert (span.status.status_code, span.status.description, span.events) == (StatusCode.ERROR, None, ())
    assert (span.attributes or {})["error.type"] == "ConnectionResetError"
    (point,) = seen.metrics()["sessile.store.duration"]
    assert point.attributes["error.type"] == "ConnectionResetError"
    assert seen.events() == {"store_unavailable": 1}


def test_conflicts_and_retries_are_counted(seen: Seen) -> None:
    """Beside the events, and a write that met another one says so in its span."""
    sessions = Sessions(secret=SECRET)
    seen.instrument(sessions)
    session = sessions.engine.begin_sync(b"", RequestFacts)
    session["a"] = 1
    sessions.engine.commit_sync(session)
    other = sessions.open(session.id)
    other["b"] = 2
    other.save()
    session["c"] = 3
    sessions.engine.commit_sync(session)
    metrics = seen.metrics()
    assert [metrics[f"sessile.{name}"][0].value for name in ("conflicts", "retries")] == [1, 1]
    outcomes = [(span.attributes or {})["sessile.outcome"] for span in seen.spans()]
    assert outcomes == ["created", "found", "replaced", "conflict", "replaced"]


def test_no_id_and_no_data_is_exported(seen: Seen) -> None:
    """Nothing that a thief or a curious colleague could use; the index of a user's sessions included."""
    sessions = Sessions(secret=SECRET, hash_ids=True)
    seen.instrument(sessions)
    session = sessions.engine.begin_sync(b"", RequestFacts)
    session["canary"] = "canary"
    session.login("canary", device="canary")
    (cookie,) = sessions.engine.commit_sync(session)
    sessions.of_user("canary")
    spans = seen.spans()
    assert {(span.attributes or {})["sessile.part"] for span in spans} == {"sessions", "index"}
    exported = "".join(span.to_json() for span in spans) + repr(seen.metrics())
    assert "canary" not in exported
    assert session.id not in exported
    assert cookie.partition("=")[2][:40] not in exported
    assert {(span.attributes or {})["sessile.store"] for span in spans} == {"MemoryStore"}


def test_it_can_what_the_store_can(seen: Seen) -> None:
    """No ability is lost, and none made up."""
    sessions = Sessions(secret=SECRET)
    seen.instrument(sessions)
    assert [can(sessions.store, ability) for ability in (Indexed, Iterable, Sweepable)] == [True] * 3
    assert not can(sessions.store, Connectable)
    session = sessions.engine.begin_sync(b"", RequestFacts)
    session.login("zoe")
    sessions.engine.commit_sync(session)
    assert (sessions.count(), len(list(sessions.all())), sessions.revoke_user("zoe")) == (1, 1, 1)
    bare = Sessions(secret=SECRET, store=FaultyStore(MemoryStore()))
    instrument(bare)
    assert can(bare.store, Connectable)


def test_sessions_in_cookies_are_counted(seen: Seen) -> None:
    """There is no store to be called, and so there are no spans."""
    sessions = Sessions(secret=SECRET, store="cookie://")
    seen.instrument(sessions)
    session = sessions.engine.begin_sync(b"", RequestFacts)
    session["a"] = 1
    assert sessions.engine.commit_sync(session)
    assert (seen.spans(), seen.events()) == ([], {"created": 1})


def test_several_sessions_are_seen_together(seen: Seen) -> None:
    """Their counts are added, for an instrument of OpenTelemetry has one name in a process."""
    both = Sessions(secret=SECRET), Sessions(secret=SECRET, name="admin.sid")
    seen.instrument(*both)
    for sessions in both:
        session = sessions.engine.begin_sync(b"", RequestFacts)
        session["a"] = 1
        sessions.engine.commit_sync(session)
    assert seen.events() == {"created": 2}
    with pytest.raises(SessionError, match="instrumented already"):
        seen.instrument(both[0])


class Failing(SpanExporter):
    def export(self, spans: Any) -> SpanExportResult:
        raise OSError("the collector is gone")


class Broken(SpanProcessor):
    def on_start(self, span: Any, parent_context: Any = None) -> None:
        raise OSError("at the start")

    def on_end(self, span: Any) -> None:
        raise OSError("at the end")


@pytest.mark.parametrize("processor", [SimpleSpanProcessor(Failing()), Broken()], ids=["exporter", "processor"])
def test_a_failing_exporter_ends_no_request(seen: Seen, processor: Any) -> None:
    """What looks on does not disturb."""
    seen.tracers.add_span_processor(processor)
    sessions = Sessions(secret=SECRET)
    seen.instrument(sessions)
    jar: dict[str, str] = {}
    for work, _ in LIFE:
        browser = Browser(asgi.SessionMiddleware(handler(work), sessions), jar)
        assert asyncio.run(browser.get()).status == 200
    assert seen.events()["destroyed"] == 1


def test_without_the_sdk_nothing_is_exported_and_nothing_fails() -> None:
    """A library brings the API, and the application decides; with neither there is an error that says what to do."""
    code = (
        "import sys; sys.modules['opentelemetry.sdk'] = None\n"
        "from sessile import RequestFacts, Sessions, telemetry\n"
        "sessions = Sessions(secret='a secret that is long enough for tests!'); telemetry.instrument(sessions)\n"
        "session = sessions.engine.begin_sync(b'', RequestFacts); session['a'] = 1; assert sessions.engine.commit_sync(session)\n"
        "del sys.modules['sessile.telemetry']; sys.modules['opentelemetry'] = None\n"
        "try: import sessile.telemetry\n"
        "except ImportError as error: print(error)\n"
    )
    output = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert "pip install 'sessile[telemetry]'" in output
