"""What standards ask of a session's log-in, log-out, life, list and end, and the tests that prove it.

``python -m tests.requirements > docs/reference/requirements.md`` writes the page.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs/reference/requirements.md"

HEAD = """\
# What standards ask, and what proves it

Requirements of OWASP's ASVS 5.0 and Session Management Cheat Sheet (SMCS), of its testing guide (WSTG), of NIST SP 800-63B-4, and of advisories
that other libraries had to publish: all that concern log-in, log-out, lifetime, and the listing and ending of sessions. Each names the tests that
prove it; they are in the repository, under `tests/`, and run with `make test`. This page is written by `python -m tests.requirements`, and a test
keeps it true.
"""


class Requirement(NamedTuple):
    """One row of the page."""

    text: str
    sources: str
    #: Files, and functions in them.
    tests: dict[str, tuple[str, ...]]


def row(text: str, sources: str, **tests: str) -> Requirement:
    """Return a requirement. ``tests``: by file, with ``__`` for a slash, the names of functions without ``test_``."""
    found = {}
    for file, names in tests.items():
        path = f"{file.replace('__', '/')}.py"
        prefix = "" if "behaviours" in path else "test_"
        found[path] = tuple(prefix + name for name in names.split())
    return Requirement(text, sources, found)


TABLES: dict[str, list[Requirement]] = {
    "Log-in": [
        row(
            "A log-in gets a new id; the one before, which somebody may have planted, is dead at once.",
            "ASVS 7.2.4, WSTG-SESS-03, CVE-2022-25896, CVE-2023-29019, CVE-2015-8124, CVE-2018-11385, CVE-2023-46733, CVE-2022-38054",
            test_session="logging_in_changes_the_id_and_is_remembered",
            test_asgi="login_changes_the_id_and_keeps_the_cart regenerate_gives_a_new_id_and_kills_the_old",
            test_rotation="a_login_leaves_no_grace",
            integrations__behaviours__endings="login_changes_the_id a_planted_id_is_worth_nothing",
            demo__test_accounts="logging_in_changes_the_id_and_keeps_the_cart",
        ),
        row(
            "So does a log-in again, and whatever else changes what the visitor may do.",
            "ASVS 7.2.4, SMCS",
            test_users="a_log_in_is_fresh_for_a_while_and_again_after_a_password",
            test_rotation="without_it_the_old_token_is_dead_at_once_and_no_record_is_left",
        ),
        row(
            "Nothing of one user's session passes to another who logs in on the same browser.",
            "CVE-2014-0482",
            test_session="the_data_of_another_user_never_lives_on",
            test_users="another_user_on_the_same_browser",
            integrations__behaviours__endings="another_user_finds_nothing",
            demo__test_accounts="another_user_does_not_get_the_cart",
        ),
        row(
            "Wrong credentials begin no session, send no cookie, and do not tell whether the name exists.",
            "SMCS, CVE-2015-5143",
            demo__test_accounts="a_wrong_password_starts_nothing an_unknown_name_is_answered_like_a_wrong_password "
            "a_wrong_password_leaves_a_session_as_it_is",
        ),
        row(
            "An id that this server did not make, or has no more, is never used: the visitor gets another one, and nothing is stored.",
            "SMCS (strict ids), CVE-2018-1000519, CVE-2024-38513",
            test_hostile="any_cookie_header_is_served_and_no_id_adopted",
            test_asgi="a_forged_cookie_never_reaches_the_store an_unknown_id_is_never_adopted",
        ),
        row(
            "Who is logged in is not part of the handler's data, so no form of the application can put it there.",
            "ASVS 4.0 3.7.1, WSTG-SESS-08 (session puzzling)",
            test_session="our_own_fields_are_not_the_handlers reserved_keys_are_refused",
            test_users="claims_and_data_live_apart",
        ),
        row(
            "A token that may be used once, such as that of a link in a mail, is used once, whoever else tries at the time.",
            "CVE-2026-45720, ASVS 15.4.2",
            test_asgi="pop_once_gives_a_value_to_one_request",
        ),
        row(
            "A log-in is not lost to whatever else its request does, and who was left behind with an old id does not come back.",
            "ASVS 7.2.4",
            test_users="a_log_in_is_kept_through_what_asks_the_store_at_once a_user_who_was_left_behind_stays_so",
        ),
        row(
            "The application can ask for a fresh proof of identity before something delicate.",
            "ASVS 7.5.1, 7.5.3",
            test_users="a_log_in_is_fresh_for_a_while_and_again_after_a_password nobody_can_prove_again_who_he_never_was",
        ),
        row(
            "The cookie ends with the browser unless the user asks to be remembered, and where a level of assurance forbids that, he cannot.",
            "NIST 5.1",
            test_lifetime="who_wants_to_be_remembered_is nobody_is_remembered_where_the_options_do_not_say_so",
        ),
    ],
    "Log-out": [
        row(
            "A log-out removes the record, and the browser's cookie; a copy of the cookie is worth nothing.",
            "ASVS 7.4.1, WSTG-SESS-06, CVE-2022-24444, CVE-2026-30224, CVE-2023-20862, CVE-2024-31999",
            test_session="logging_out_ends_the_session destroying_ends_the_session",
            test_asgi="destroy_removes_the_record_and_expires_the_cookie",
            demo__test_accounts="logging_out_ends_the_session",
        ),
        row(
            "No request in flight brings the session back: not by a write, a touch or a new id, on any store, with several processes and while servers fail.",
            "CVE-2025-46336, CVE-2025-32441, CVE-2021-41247, expressjs/session#632",
            test_asgi="a_logout_is_never_undone_by_a_request_in_flight",
            test_rotation="a_logout_between_the_steps_of_a_renewal",
            test_processes="a_logout_amid_eight_writers_is_final",
            stress__test_stress="nothing_is_lost_undone_or_mixed_up nor_when_the_network_fails nor_when_the_server_is_killed "
            "nor_when_processes_are_killed_amid_their_work",
            integrations__behaviours__encounters="a_logout_is_not_undone an_old_id_is_dead_for_requests_in_flight",
        ),
        row(
            "After it the handler can store nothing in the session any more.",
            "CVE-2026-34454",
            test_asgi="destroy_is_final",
            test_session="a_destroyed_session_takes_nothing",
        ),
        row(
            "Neither a hook that fails nor the index of users can prevent it; if the store is down, the visitor is told, and nothing pretends that he is out.",
            "CVE-2021-34428, ASVS 16.5.3",
            test_events="a_hook_that_raises_changes_nothing",
            test_users="a_logout_is_done_whatever_becomes_of_the_index a_logout_that_the_store_did_not_hear_is_no_logout",
        ),
        row(
            "A log-out without a session, and a visitor who only looks, write nothing.",
            "CVE-2015-5963, CVE-2015-5964",
            test_asgi="destroying_nothing_does_nothing an_untouched_new_session_costs_nothing "
            "reading_an_empty_session_varies_and_stores_nothing",
            test_session="destroying_a_strangers_session_does_nothing",
        ),
    ],
    "Lifetime": [
        row(
            "A session ends when it was not used for so long.",
            "ASVS 7.3.1, WSTG-SESS-07, NIST 2.2.3, 2.3.3",
            test_lifetime="without_a_visit_it_ends_after_the_idle_limit_whatever_the_cookie_says "
            "what_does_not_count_as_a_visit_does_not_extend",
            test_asgi="a_request_that_is_no_visit_extends_nothing",
        ),
        row(
            "And after so long in all, however busy it is; no touch, no rolling cookie and no new id moves that.",
            "ASVS 7.3.2, SMCS, NIST 2.1.3, 2.2.3, 2.3.3",
            test_lifetime="however_busy_it_is_it_ends_after_the_absolute_limit a_new_id_alone_begins_nothing_anew "
            "programs_find_no_session_that_is_over",
        ),
        row(
            "The limits of the three levels of assurance; a new proof of identity begins both anew.",
            "NIST 2.1.3, 2.2.3, 2.3.3, 5.2",
            test_lifetime="what_nist_asks_for who_proves_again_to_be_who_he_is_begins_anew",
        ),
        row(
            "The record and our clock decide, never the cookie, nor when the store removes what is over.",
            "NIST 5.1.1, CVE-2018-1000814, CVE-2024-35220",
            test_asgi="an_expired_record_is_no_session",
            test_lifetime="a_limit_that_is_set_later_holds_for_sessions_of_before no_record_breaks_the_limits",
            test_content="the_end_is_inside_and_out_of_the_browsers_reach",
        ),
        row(
            "What has expired is not stored again, by any store.",
            "CVE-2024-35220, CVE-2013-10075",
            **{
                "../src/holdfast/testing/conformance/verbs": "replace_of_what_has_expired_is_missing "
                "touch_of_what_has_expired_is_false load_is_none_from_the_end_on"
            },
        ),
        row(
            "The id is renewed now and then; requests in flight go on for a moment, then the old id is dead, and its use is told.",
            "SMCS (renewal timeout)",
            test_lifetime="it_gets_a_new_id_now_and_then "
            "for_a_time_the_old_id_is_good_as_well_and_leads_the_browser_to_the_new_one "
            "requests_that_renew_at_once_end_in_one_session a_logout_in_flight_ends_the_renewed_session",
            stress__test_stress="nor_when_sessions_get_new_ids_by_themselves",
        ),
        row(
            "Who has not logged in may get a shorter life.",
            "SMCS",
            test_lifetime="an_anonymous_session_may_have_a_shorter_life",
        ),
    ],
    "Lists, and ends by others": [
        row(
            "Users can see their sessions and end them; the one they use is marked.",
            "ASVS 7.5.2",
            test_users="the_sessions_of_a_user_are_listed one_is_ended_by_its_handle",
            demo__test_devices="the_page_lists_where_a_user_is_logged_in one_device_is_ended all_others_are_ended",
            demo__test_browser="one_device_ends_another",
        ),
        row(
            "All sessions of an account can be ended: when it is closed, and by those who run the site.",
            "ASVS 7.4.2, 7.4.5",
            test_users="all_are_ended_when_an_account_is_closed the_sessions_of_a_tenant_are_ended",
            integrations__behaviours__endings="a_revoked_session_is_over",
        ),
        row(
            "A change of password ends the others, on request.",
            "ASVS 7.4.3, CVE-2023-40273, CVE-2019-10641, CVE-2022-23502, CVE-2021-41268",
            test_users="after_a_change_of_password_the_others_are_ended",
            demo__test_password="a_change_of_password_ends_all_other_sessions "
            "a_request_in_flight_does_not_bring_its_session_back a_log_in_that_is_overtaken_by_a_change_of_password_fails",
        ),
        row(
            "The list is complete, whenever a process dies, and whatever the browser does at the time.",
            "ASVS 7.4.2",
            test_users="whenever_a_process_dies_no_session_is_missing_from_the_list an_index_outlives_what_it_names "
            "a_new_id_keeps_its_place renewing_now_and_then_is_enough",
        ),
        row(
            "How many sessions a user has at once can be limited, and the limit holds when many log in at once.",
            "ASVS 7.1.2, WSTG-SESS-11",
            test_users="beyond_the_limit_the_oldest_is_ended or_the_log_in_is_refused_with_the_list "
            "however_many_log_in_at_once_there_are_no_more",
        ),
        row(
            "Nobody lists, sees or ends a session of somebody else, whatever stands in the index.",
            "ASVS 8.2.2",
            test_users="an_index_that_names_strangers_shows_and_ends_none_of_them text_and_a_number_are_two_users",
            demo__test_devices="nobody_lists_or_ends_the_session_of_somebody_else",
            stress__test_stress="nothing_is_lost_undone_or_mixed_up",
        ),
        row(
            "Where the session travels in its cookie, nobody can list or end it; that is refused, and not pretended.",
            "CVE-2024-31999, CVE-2018-1000814",
            test_content="outside_a_request_there_is_nothing_to_open_or_end there_is_no_list_of_sessions",
        ),
        row(
            "The users of Django's own log-in are known too.",
            "ASVS 7.4.2, 7.5.2",
            with_django__test_auth="a_log_in_is_listed_and_the_asking_session_marked a_logout_leaves_the_index "
            "a_new_password_ends_the_others_at_once whoever_logs_in_by_the_admin_is_listed",
        ),
        row(
            "A list shows no id, and nothing that could be a cookie.",
            "CVE-2020-5224, CVE-2023-20866",
            test_users="a_handle_shows_no_id",
            demo__test_devices="a_handle_is_of_no_use_as_a_cookie",
        ),
    ],
    "Watching": [
        row(
            "Log-ins, new ids, ends, refused cookies and outages are told, once each, when they have really happened.",
            "ASVS 16.3.1, SMCS",
            test_events="each_step_of_a_life_is_told_once a_log_in_that_came_to_nothing_is_not_told what_a_cookie_may_be_is_told "
            "a_revoked_session_is_told an_outage_is_told",
        ),
        row(
            "No line has an id, a token, data, or text that a client sent.",
            "ASVS 16.2.5, 16.4.1, CVE-2023-20866",
            test_events="no_id_is_told no_text_of_a_client_is_in_the_log the_log_has_no_address",
        ),
        row(
            "Nobody can flood the log; and who guesses can be recognised.",
            "SMCS (brute force)",
            test_events="of_what_anybody_can_cause_a_few_lines_are_written what_is_limited_is_what_strangers_can_cause",
        ),
        row(
            "A token that was renewed away, and comes back, is told as what it may be: a stolen one.",
            "SMCS",
            test_rotation="once_it_is_over_the_old_token_is_dead_and_its_use_is_told",
        ),
        row(
            "Weak settings are found before they are used: by the options themselves, and by `holdfast check`.",
            "ASVS 13.3.1, 7.1",
            test_options="a_weak_secret_is_warned_of the_defaults_are_safe",
            cli__test_check="what_is_weak_is_found every_check_is_tried_and_explained",
        ),
    ],
}


def page() -> str:
    """Return the page."""
    parts = [HEAD]
    for title, rows in TABLES.items():
        parts.append(f"\n## {title}\n\n| asked | by | proved by |\n|---|---|---|\n")
        for each in rows:
            proofs = "<br>".join(
                f"`{file.removeprefix('../')}`: " + ", ".join(f"`{name}`" for name in names)
                for file, names in each.tests.items()
            )
            parts.append(f"| {each.text} | {each.sources} | {proofs} |\n")
    return "".join(parts)


def missing() -> list[str]:
    """Return the tests that are named and do not exist."""
    return [
        f"{file}::{name}"
        for rows in TABLES.values()
        for each in rows
        for file, names in each.tests.items()
        for name in names
        if not re.search(rf"def {name}\(", (ROOT / "tests" / file).read_text("utf-8"))
    ]


if __name__ == "__main__":
    print(page(), end="")
