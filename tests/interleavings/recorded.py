# What the explorer has found, and how to see it: `replay` of a schedule tells the story, call by call. They belong to the
# engine on which they were found; once the fault is mended the calls are others.
"""Findings, each with the schedule that shows it."""

from __future__ import annotations

from typing import NamedTuple

from tests.interleavings.scenarios import Scenario


class Finding(NamedTuple):
    """A fault, and a schedule that shows it."""

    #: The number or the name that it has, or had, in the table KNOWN.
    fault: str
    scenario: Scenario
    breaks: str
    schedule: str

    def __str__(self) -> str:
        return f"{self.fault}: {self.scenario}"


FINDINGS = (
    Finding("1", Scenario(("rotate, keep", "revoke_user")), "outlived a revocation", "aabaaaaaaab"),
    Finding("1", Scenario(("rotate, grace", "revoke_user")), "outlived a revocation", "aabaaaaabb"),
    Finding("1", Scenario(("re-authentication", "revoke_where")), "outlived a revocation", "aabaaaaaaaaaaab"),
    Finding("1", Scenario(("renewal", "revoke_user")), "outlived a revocation", "aabaaaaabbb"),
    Finding("2", Scenario(("log-in elsewhere", "revoke_user")), "outlived a revocation", "aabbbabbbbb"),
    Finding("5", Scenario(("log-in at the limit", "log-in at the limit")), "limit exceeded", "aaaaaaaabbabb"),
    Finding("6", Scenario(("rotate, grace", "rotate, grace")), "told to a stranger", "aaaaaaabbbbbbbb"),
    Finding("7", Scenario(("adoption", "adoption")), "told to a stranger", "aaaaaaaaabbbb"),
    Finding("10", Scenario(("pop_once", "pop_once", "write"), "overwrite"), "popped twice", "aabbcaabccbbb"),
    Finding("11", Scenario(("write", "Node forges")), "system field of a handler", "aabb"),
    # A log-out whose look at the tombstone beside the sessions fails says that it is done, and is not.
    Finding("silent end", Scenario(("rotate, keep", "log-out")), "undone end", "aaaabaaaaabb?"),
    # A new id that meets a change of the cookie puts back the length of life that it has loaded.
    Finding("cookie", Scenario(("rotate, keep", "cookie change")), "lost update", "aaaabbaaaaaabbb"),
    # A revocation does not find the tombstone beside the sessions, which was kept under the id and not under its digest.
    Finding(
        "digest",
        Scenario(("revoke_user", "password change"), "hash_ids"),
        "outlived a revocation",
        "aaabbbbbbbbbaaaaaab",
    ),
    # A change of a password that spares its session brings it back after a log-out.
    Finding("spared", Scenario(("log-out", "password change")), "undone end", "abaaaabbbbbbbbb"),
    # An end whose answer is lost deletes the tombstone of a new id.
    Finding("unseen", Scenario(("rotate, grace", "revoke")), "undone end", "aaaab?baaabb"),
)
