# Each row of docs/departures.md that shows in a scenario is a function here, named by the row. It is given what came of
# the scenario with express-session, and turns it into what must come of it with sessile. It predicts: nothing is left
# out of the comparison, and it looks at nothing that sessile has done.
"""Where sessile differs from express-session, scenario by scenario."""

from __future__ import annotations

import itertools
import json
import marshal
import math
from collections import Counter
from collections.abc import Callable, Iterable
from datetime import datetime
from email.utils import format_datetime, parsedate_to_datetime
from typing import Any

from tests.differential.driver import DAY, javascript, moment
from tests.differential.express import Express, Story
from tests.differential.outcome import Step
from tests.differential.scenarios import COOKIES, NOW, SECOND, SID, VISITORS, Scenario, encoded

#: How many scenarios each departure explains, in this run of the tests.
EXPLAINED: Counter[str] = Counter()

#: How another scenario of express-session says what sessile does in this one; None: it does not.
Another = Callable[[Scenario], Scenario | None]
#: What sessile makes otherwise of the same scenario.
Change = Callable[[Scenario, Story], None]

ANOTHERS: list[tuple[str, Another]] = []
CHANGES: list[tuple[str, Change]] = []

LOOKS = frozenset(
    {"view", "look", "set", "set same", "nest", "revert", "delete", "delete all", "save", "regenerate", "destroy"}
    | {"touch", "max age", "no max age", "expires", "strict", "script", "path /app", "other writes", "other destroys"}
)
COOKIE_CHANGES = frozenset({"max age", "no max age", "expires", "strict", "script", "path /app"})


def as_another(name: str) -> Callable[[Another], Another]:
    """Make a function the departure ``name``: sessile does what express-session does in another scenario."""

    def register(function: Another) -> Another:
        ANOTHERS.append((name, function))
        return function

    return register


def departure(name: str) -> Callable[[Change], Change]:
    """Make a function the departure ``name``. They are applied in the order in which they stand here."""

    def register(function: Change) -> Change:
        CHANGES.append((name, function))
        return function

    return register


def names() -> list[str]:
    """Return the names of all departures."""
    return list(dict.fromkeys(name for name, _ in (*ANOTHERS, *CHANGES)))


def predict(scenario: Scenario, express: Express) -> Story:
    """Return what must come of ``scenario`` with sessile."""
    original = scenario
    for name, another in ANOTHERS:
        told = another(scenario)
        if told is not None:
            EXPLAINED[name] += express[told].steps != express[scenario].steps
            scenario = told
    story = express[scenario].copy()
    story.cookies = VISITORS[original.visitor]
    story.express = express
    before = marshal.dumps(story.steps, 2)
    for name, change in CHANGES:
        change(scenario, story)
        after = marshal.dumps(story.steps, 2)
        EXPLAINED[name] += after != before
        before = after
    return story


# Facts of a scenario --------------------------------------------------------------------------------------------------


def live(scenario: Scenario) -> bool:
    """Tell whether the visitor has a session."""
    return VISITORS[scenario.visitor].live and scenario.cookie != "over at once"


def insecure(scenario: Scenario) -> bool:
    """Tell whether the cookie of a new session cannot be sent, because it is secure and the browser used http."""
    return (COOKIES[scenario.cookie].express or {}).get("secure") is True and not scenario.secure


def kept(scenario: Scenario) -> bool:
    """Tell whether the handler leaves the session as it is: under its id, and in its place."""
    return not {"regenerate", "destroy", "null", "remove", "other destroys"} & set(scenario.verbs)


def ended_by(scenario: Scenario) -> str | None:
    """Return the last verb with which the handler gave up the session that it had."""
    verbs = [verb for verb in scenario.verbs if verb in ("regenerate", "destroy", "null", "remove")]
    return verbs[-1] if verbs else None


def uninitialized(scenario: Scenario) -> bool:
    """Tell whether a session that nothing was put into is stored."""
    return bool(scenario.options["saveUninitialized"])


def now(position: int) -> float:
    """Return the time of a request."""
    return NOW + 10 * position


def drop(story: Story, sid: str) -> None:
    """Let ``sid`` never have been stored."""
    for step in story.steps:
        step["calls"] = [call for call in step["calls"] if call[1] != sid or call[0] == "get"]
        step["records"].pop(sid, None)


def renew(cookie: dict[str, Any]) -> None:
    """Let a cookie, as it is seen or stored, begin its life in the first request."""
    life = cookie["originalMaxAge"]
    if life is not None:
        cookie["expires"] = javascript(moment(NOW + life / 1000))
        if "maxAge" in cookie:
            cookie["maxAge"] = life


def set_cookie(sid: str, stored: dict[str, Any]) -> dict[str, Any]:
    """Return the Set-Cookie line of express-session for a record's cookie, taken apart."""
    attributes: dict[str, Any] = {}
    if stored.get("domain"):
        attributes["Domain"] = stored["domain"]
    attributes["Path"] = stored["path"]
    if stored.get("expires"):
        attributes["Expires"] = format_datetime(
            datetime.fromisoformat(stored["expires"]).replace(microsecond=0), usegmt=True
        )
    for name, key in (("HttpOnly", "httpOnly"), ("Secure", "secure"), ("Partitioned", "partitioned")):
        if stored.get(key):
            attributes[name] = True
    if stored.get("priority"):
        attributes["Priority"] = stored["priority"].capitalize()
    if stored.get("sameSite"):
        attributes["SameSite"] = "Strict" if stored["sameSite"] is True else stored["sameSite"].capitalize()
    return {"name": "connect.sid", "value": encoded(sid), "attributes": attributes}


# As in another scenario -----------------------------------------------------------------------------------------------


@as_another("defaults-that-store-less")
def _storing_by_default(scenario: Scenario) -> Scenario | None:
    if "resave" in scenario.options:
        return None
    return scenario.but(options={"resave": False, "saveUninitialized": False, **scenario.options})


@as_another("defaults-that-are-safe")
def _cookie_by_default(scenario: Scenario) -> Scenario | None:
    return scenario.but(cookie="sessile's default") if scenario.cookie == "default" else None


@as_another("auto-in-a-function")
def _auto_in_a_function(scenario: Scenario) -> Scenario | None:
    return scenario.but(cookie="auto, max age") if scenario.cookie == "function, auto" else None


@as_another("path-as-browsers-match-it")
def _path(scenario: Scenario) -> Scenario | None:
    prefix = (COOKIES[scenario.cookie].express or {}).get("path", "/")
    return scenario.but(path="/x") if prefix == "/app" and scenario.path == "/application" else None


@as_another("several-cookies")
def _several_cookies(scenario: Scenario) -> Scenario | None:
    tried_in_vain = scenario.visitor in ("forged cookie in front", "stale cookie in front")
    return scenario.but(visitor="existing") if tried_in_vain else None


@as_another("ttl-in-every-store")
def _idle_too_long(scenario: Scenario) -> Scenario | None:
    lasting = "maxAge" not in (COOKIES[scenario.cookie].express or {})
    return scenario.but(visitor="unknown") if scenario.visitor == "expired" and lasting else None


@as_another("cookie-change-is-a-change")
def _cookie_of_a_new_session(scenario: Scenario) -> Scenario | None:
    changed = COOKIE_CHANGES & set(scenario.verbs) and kept(scenario)
    if not changed or live(scenario) or uninitialized(scenario) or insecure(scenario):
        return None
    return scenario.but(options={**scenario.options, "saveUninitialized": True})


# As in the same scenario, but -----------------------------------------------------------------------------------------


@departure("intents-at-commit")
def _one_new_id(scenario: Scenario, story: Story) -> None:
    """An id is made when it is needed: regenerate() twice makes one."""
    if scenario.action != "regenerated twice":
        return
    story.steps = without_id(story.steps, 1 if live(scenario) else 2)


def without_id(steps: list[Step], unmade: int) -> list[Step]:
    """Return ``steps`` as they are if the id of this number is not made, and the later ones have lower numbers."""
    text = json.dumps(steps)
    for number in range(unmade + 1, unmade + 3):
        one, other = (f"id-{each}".ljust(32, "_") for each in (number, number - 1))
        text = text.replace(encoded(one), encoded(other)).replace(f'"{one}"', f'"{other}"')
    changed: list[Step] = json.loads(text)
    return changed


@departure("destroyed-session-stays")
def _destroyed(scenario: Scenario, story: Story) -> None:
    """After destroy() the handler still has its session, empty; it refuses to be changed."""
    step = story.steps[0]
    if "destroy" in scenario.verbs and step["saw"][-1] is None:
        step["saw"][-1] = {**step["saw"][-2], "data": {}, "cookie": dict(step["saw"][-2]["cookie"])}


@departure("store-is-not-asked-in-vain")
def _not_in_vain(scenario: Scenario, story: Story) -> None:
    """What was never stored is neither removed nor loaded."""
    there = {SID} if live(scenario) else set()
    calls = story.steps[0]["calls"]
    if calls[:1] == [["get", SID]]:
        there.add(SID)
    kept_calls = []
    for verb, sid in calls:
        if verb == "set" or sid in there:
            kept_calls.append([verb, sid])
        there = there | {sid} if verb == "set" else there - {sid} if verb == "destroy" else there
    story.steps[0]["calls"] = kept_calls


@departure("one-write-is-enough")
def _saved_once(scenario: Scenario, story: Story) -> None:
    """What save() has stored, and nobody has changed since, is not written or touched again."""
    verbs = [verb for verb in scenario.verbs if verb != "view"]
    calls = story.steps[0]["calls"]
    if "save" not in verbs or len(calls) < 2:
        return
    last, before = calls[-1], [call for call in calls[:-1] if call[0] != "get"][-1:]
    before = before[0] if before else None
    unchanged = verbs[-1] in ("save", "reload")
    again = last[0] == "touch" or calls.count(last) > verbs.count("save")
    if before == ["set", last[1]] and unchanged and again:
        calls.pop()


@departure("unchanged-is-touched")
def _unchanged(scenario: Scenario, story: Story) -> None:
    """save() of a session that is what is stored does what the end of the request would do: it touches."""
    verbs = [verb for verb in scenario.verbs if verb != "view"]
    if verbs[:1] == ["save"] and live(scenario) and not scenario.options["resave"]:
        next(call for call in story.steps[0]["calls"] if call[0] == "set")[0] = "touch"


@departure("save-renews")
def _renewed(scenario: Scenario, story: Story) -> None:
    """What save() writes begins its life anew, as what is written at the end of the request."""
    verbs = scenario.verbs
    if "save" not in verbs or not live(scenario) or {"regenerate", "other destroys"} & set(verbs):
        return
    step = story.steps[0]
    if step["calls"][1:2] != [["set", SID]]:
        return
    for seen in step["saw"][1:]:
        if isinstance(seen, dict):
            seen["cookie"] = dict(seen["cookie"])
            renew(seen["cookie"])
    record = step["records"].get(SID)
    if {"null", "remove"} & set(verbs) and record is not None:
        renew(record["data"]["cookie"])
        record["life"] = record["data"]["cookie"]["originalMaxAge"]
        for seen in story.steps[1]["saw"]:
            renew(seen["cookie"])
            if seen["cookie"]["maxAge"] is not None:
                seen["cookie"]["maxAge"] -= 10_000


@departure("nothing-is-not-saved")
def _nothing_saved(scenario: Scenario, story: Story) -> None:
    """save() of a session that nothing was put into stores nothing, as the end of the request would not."""
    verbs = [verb for verb in scenario.verbs if verb != "view"]
    if live(scenario) or uninitialized(scenario) or verbs[:1] != ["save"]:
        return
    calls = story.steps[0]["calls"]
    first = next(call for call in calls if call[0] == "set")
    calls.remove(first)
    if verbs == ["save"]:
        for step in story.steps:
            step["records"].pop(first[1], None)


@departure("cookie-change-is-a-change")
def _cookie_of_a_known_session(scenario: Scenario, story: Story) -> None:
    _written_and_sent(scenario, story, COOKIE_CHANGES)


@departure("touch-renews-the-cookie")
def _touched(scenario: Scenario, story: Story) -> None:
    _written_and_sent(scenario, story, {"touch"})
    saw = story.steps[0]["saw"]
    if "touch" in scenario.verbs:
        saw[-1]["cookie"] = saw[0]["cookie"]


def _written_and_sent(scenario: Scenario, story: Story, verbs: set[str] | frozenset[str]) -> None:
    if not (verbs & set(scenario.verbs) and live(scenario) and kept(scenario)):
        return
    step = story.steps[0]
    for call in step["calls"]:
        if call[0] == "touch":
            call[0] = "set"
    stored = step["records"][SID]["data"]["cookie"]
    if not step["cookies"] and (scenario.secure or not stored.get("secure")):
        step["cookies"] = [set_cookie(SID, stored)]


@departure("reload-is-no-change")
def _reloaded(scenario: Scenario, story: Story) -> None:
    """What another request has changed, and reload() has fetched, is not written once more."""
    if scenario.action != "reloaded, another wrote":
        return
    step = story.steps[0]
    if not scenario.options["resave"]:
        step["calls"][-1][0] = "touch"
    if not scenario.options["rolling"]:
        step["cookies"] = []


@departure("changes-are-joined")
def _joined(scenario: Scenario, story: Story) -> None:
    step = story.steps[0]
    if "other writes" not in scenario.verbs or not kept(scenario) or "reload" in scenario.verbs:
        return
    if step["calls"][-1][0] == "touch":
        return
    step["calls"].append(step["calls"][-1])  # The first finds that another request was there.
    for seen in [step["saw"][-1]] if "save" in scenario.verbs else []:
        seen["data"]["other"] = 1
    story.steps[1]["saw"][0]["data"]["other"] = 1
    for each in story.steps:
        each["records"][SID]["data"]["other"] = 1


@departure("logout-is-final")
def _final(scenario: Scenario, story: Story) -> None:
    if "other destroys" not in scenario.verbs or {"regenerate", "destroy"} & set(scenario.verbs):
        return
    step = story.steps[0]
    step["cookies"], step["records"] = [], {}
    options = {**scenario.options, "resave": False}
    nobody_wrote = story.express[scenario.but(action="looked at, another destroyed", options=options)]
    story.steps[1] = nobody_wrote.copy().steps[1]


@departure("insecure-is-not-stored")
def _insecure(scenario: Scenario, story: Story) -> None:
    if not insecure(scenario):
        return
    for sid in {call[1] for step in story.steps for call in step["calls"] if call[0] == "set" and call[1] != SID}:
        drop(story, sid)
    if scenario.action == "saved, reloaded" and not live(scenario):
        story.steps[0]["calls"].pop()
        story.steps[0]["saw"].insert(1, "gone")


@departure("destroy-takes-the-cookie-away")
def _cookie_taken_away(scenario: Scenario, story: Story) -> None:
    first, second = story.steps
    last = first["calls"][-1:] or [("", "")]
    if last[0][0] != "destroy" or "other destroys" in scenario.verbs or ended_by(scenario) == "regenerate":
        return
    seen = next(each["cookie"] for each in first["saw"] if each and each["id"] == first["calls"][-1][1])
    gone = set_cookie("", {**seen, "expires": "1970-01-01T00:00:00Z"})
    first["cookies"] = [gone | {"value": "", "attributes": gone["attributes"] | {"Max-Age": "0"}}]
    second["calls"] = [call for call in second["calls"] if call[0] != "get"]


@departure("several-cookies")
def _each_cookie_is_tried(scenario: Scenario, story: Story) -> None:
    if scenario.action == "path changed, modified" and scenario.visitor in ("unknown", "expired"):
        story.steps[1]["calls"].insert(1, ["get", SID])
    neighbour = story.cookies.in_front or story.cookies.behind
    sid = next((each for each in (SID, SECOND) if neighbour == encoded(each)), None)
    if sid is None:
        return
    for step in story.steps:
        calls = step["calls"]
        own = int(bool(calls) and calls[0][0] == "get")
        if not own or calls[0] != ["get", sid]:
            calls.insert(0 if story.cookies.in_front else own, ["get", sid])


@departure("saved-before-the-head")
def _stored_before_the_head(scenario: Scenario, story: Story) -> None:
    verbs = scenario.verbs
    if "head" not in verbs:
        return
    written = bool(scenario.options["resave"]) or "set" in verbs[: verbs.index("head")]
    calls, saw = story.steps[0]["calls"], story.steps[0]["saw"]
    if live(scenario):
        saw[-1]["cookie"] = dict(saw[0]["cookie"])
        if written:
            renew(saw[-1]["cookie"])
    if "set" not in verbs[verbs.index("head") :]:
        return
    if live(scenario):
        calls.insert(-1, ["set" if written else "touch", SID])
    elif calls and (uninitialized(scenario) or "set" in verbs[: verbs.index("head")]):
        calls.append(calls[-1])


@departure("stream-of-a-new-session")
def _too_late(scenario: Scenario, story: Story) -> None:
    if scenario.action != "modified after the head" or live(scenario) or uninitialized(scenario):
        return
    for sid in list(story.steps[0]["records"]):
        if sid.startswith("id-"):
            drop(story, sid)


@departure("touch-moves-the-end-alone")
def _touch_moves_the_end_alone(scenario: Scenario, story: Story) -> None:
    """A touch writes nothing into the record, so the end that stands in it is that of the last write."""
    before = {} if story.record is None else dict.fromkeys(VISITORS[scenario.visitor].sids, json.loads(story.record))
    if "other writes" in scenario.verbs:
        before[SID] = {**before[SID], "other": 1}
    for step in story.steps:
        for sid, record in step["records"].items():
            verbs = {call[0] for call in step["calls"] if call[1] == sid}
            if "touch" in verbs and "set" not in verbs:
                record["data"] = before[sid]
        before = {sid: record["data"] for sid, record in step["records"].items()}


@departure("logout-follows-a-new-id")
def _ended_in_one_step(scenario: Scenario, story: Story) -> None:
    """What ends is first made a tombstone, once more if another request wrote; what has ended is not removed again."""
    calls = []
    for call in story.steps[0]["calls"]:
        if call[0] == "destroy":
            calls.append(["set", call[1]])
            if "other writes" in scenario.verbs:
                calls.append(["set", call[1]])
            if "other destroys" in scenario.verbs:
                continue
        calls.append(call)
    story.steps[0]["calls"] = calls


@departure("ttl-in-every-store")
def _life_without_end(scenario: Scenario, story: Story) -> None:
    for step in story.steps:
        for record in step["records"].values():
            if record["life"] is None:
                record["life"] = round(DAY * 1000) - record["idle"]


@departure("max-age-beside-expires")
def _max_age(scenario: Scenario, story: Story) -> None:
    for position, step in enumerate(story.steps):
        for cookie in step["cookies"]:
            attributes = cookie["attributes"]
            if "Expires" in attributes and "Max-Age" not in attributes:
                left = parsedate_to_datetime(attributes["Expires"]).timestamp() - now(position)
                attributes["Max-Age"] = str(min(max(0, math.ceil(left)), 400 * 86_400))


@departure("caches-are-told")
def _caches(scenario: Scenario, story: Story) -> None:
    for verbs, step in zip(scenario.steps, story.steps, strict=True):
        step["caches"] = caches(verbs, step)


def caches(verbs: Iterable[str], step: Step) -> list[str | None]:
    """Return Vary and Cache-Control of a response: whether it depends on the cookie, and whether it sends one."""
    until_head = set(itertools.takewhile(lambda verb: verb != "head", verbs))
    depends = "no session" not in step["saw"] and not LOOKS.isdisjoint(until_head)
    return ["Cookie" if depends or step["cookies"] else None, "no-store" if step["cookies"] else None]


def without_views(scenario: Scenario, steps: list[Step]) -> list[Step]:
    """Return what must come of ``scenario`` if handlers note nothing, and so look at nothing but what they are after."""
    quiet = []
    if scenario.action == "regenerated, destroyed":
        steps = without_id(steps, 1 if live(scenario) else 2)  # Nobody has asked for it.
    for verbs, step in zip(scenario.steps, steps, strict=True):
        saw = [seen for seen in step["saw"] if isinstance(seen, str)]
        quiet.append(step | {"saw": saw, "caches": caches([verb for verb in verbs if verb != "view"], step)})
    return quiet
