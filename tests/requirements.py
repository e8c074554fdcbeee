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
---
search:
  boost: 0.2
---

# What standards ask, and what proves it

Requirements of OWASP's ASVS 5.0 and Session Management Cheat Sheet (SMCS), of its testing guide (WSTG), of NIST SP 800-63B-4, and of advisories
that other libraries had to publish: all that concern log-in, log-out, lifetime, and the listing and ending of sessions. Then chapter 7 of ASVS 5.0
and its sections 3.3 to 3.5, number by number, and the thirty invariants that we hold ourselves to. Each row names the tests that prove it, and says
what of it is not met, and why. The tests are in the repository, under `tests/`, and run with `make test`. This page is written by
`python -m tests.requirements`, and a test keeps it true.

A fuzzer that is guided by coverage changes what reaches our parsers and decoders: cookie headers, tokens, records, stored sessions, indexes,
request headers, codecs. In 30 minutes (`python -m tests.fuzz 1800`) it tried 5,210,831 inputs: none raised, and none took more work than its
length allows. `make test` runs it for a minute.
"""


class Requirement(NamedTuple):
    """One row of the page."""

    text: str
    sources: str
    #: Files, and functions in them.
    tests: dict[str, tuple[str, ...]]
    #: What of it is not met, and why.
    unmet: str = ""


def row(text: str, sources: str, unmet: str = "", **tests: str) -> Requirement:
    """Return a requirement. ``tests``: by file, with ``__`` for a slash, the names of functions without ``test_``."""
    found = {}
    for file, names in tests.items():
        path = f"{file.replace('__', '/')}.py"
        prefix = "" if "behaviours" in path else "test_"
        found[path] = tuple(prefix + name for name in names.split())
    return Requirement(text, sources, found, unmet)


TABLES: dict[str, list[Requirement]] = {
    "Log-in": [
        row(
            "A log-in gets a new id; the one before, which somebody may have planted, is dead at once.",
            "ASVS 7.2.4, WSTG-SESS-03, CVE-2022-25896, CVE-2023-29019, CVE-2015-8124, CVE-2018-11385, CVE-2023-46733, CVE-2022-38054",
            _session__test_session="logging_in_changes_the_id_and_is_remembered",
            test_asgi="login_changes_the_id_and_keeps_the_cart regenerate_gives_a_new_id_and_kills_the_old",
            _engine__test_rotation="a_login_leaves_no_grace",
            integrations__behaviours__endings="login_changes_the_id a_planted_id_is_worth_nothing",
            demo__test_accounts="logging_in_changes_the_id_and_keeps_the_cart",
        ),
        row(
            "So does a log-in again, and whatever else changes what the visitor may do.",
            "ASVS 7.2.4, SMCS",
            _engine__test_users="a_log_in_is_fresh_for_a_while_and_again_after_a_password",
            _engine__test_rotation="without_it_the_old_token_is_dead_at_once_and_no_record_is_left",
        ),
        row(
            "Nothing of one user's session passes to another who logs in on the same browser.",
            "CVE-2014-0482",
            _session__test_session="the_data_of_another_user_never_lives_on",
            _engine__test_users="another_user_on_the_same_browser",
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
            _engine__test_hostile="any_cookie_header_is_served_and_no_id_adopted",
            test_asgi="a_forged_cookie_never_reaches_the_store an_unknown_id_is_never_adopted",
        ),
        row(
            "Who is logged in is not part of the handler's data, so no form of the application can put it there.",
            "ASVS 4.0 3.7.1, WSTG-SESS-08 (session puzzling)",
            _session__test_session="our_own_fields_are_not_the_handlers reserved_keys_are_refused",
            _engine__test_users="claims_and_data_live_apart",
        ),
        row(
            "A token that may be used once, such as that of a link in a mail, is used once, whoever else tries at the time.",
            "CVE-2026-45720, ASVS 15.4.2",
            test_asgi="pop_once_gives_a_value_to_one_request",
        ),
        row(
            "A log-in is not lost to whatever else its request does, and who was left behind with an old id does not come back.",
            "ASVS 7.2.4",
            _engine__test_users="a_log_in_is_kept_through_what_asks_the_store_at_once a_user_who_was_left_behind_stays_so",
        ),
        row(
            "The application can ask for a fresh proof of identity before something delicate.",
            "ASVS 7.5.1, 7.5.3",
            _engine__test_users="a_log_in_is_fresh_for_a_while_and_again_after_a_password nobody_can_prove_again_who_he_never_was",
        ),
        row(
            "The cookie ends with the browser unless the user asks to be remembered, and where a level of assurance forbids that, not even then.",
            "NIST 5.1",
            test_lifetime="who_wants_to_be_remembered_is nobody_is_remembered_where_the_options_do_not_say_so",
        ),
    ],
    "Log-out": [
        row(
            "A log-out removes the record, and the browser's cookie; a copy of the cookie is worth nothing.",
            "ASVS 7.4.1, WSTG-SESS-06, CVE-2022-24444, CVE-2026-30224, CVE-2023-20862, CVE-2024-31999",
            _session__test_session="logging_out_ends_the_session destroying_ends_the_session",
            test_asgi="destroy_removes_the_record_and_expires_the_cookie",
            demo__test_accounts="logging_out_ends_the_session",
        ),
        row(
            "No request in flight brings the session back: not by a write, a touch or a new id, on any store, with several processes and while servers fail.",
            "CVE-2025-46336, CVE-2025-32441, CVE-2021-41247, expressjs/session#632",
            test_asgi="a_logout_is_never_undone_by_a_request_in_flight",
            _engine__test_rotation="a_logout_between_the_steps_of_a_renewal",
            _engine__test_processes="a_logout_amid_eight_writers_is_final",
            stress__test_stress="nothing_is_lost_undone_or_mixed_up nor_when_the_network_fails nor_when_the_server_is_killed "
            "nor_when_processes_are_killed_amid_their_work",
            integrations__behaviours__encounters="a_logout_is_not_undone an_old_id_is_dead_for_requests_in_flight",
        ),
        row(
            "After it the handler can store nothing in the session any more.",
            "CVE-2026-34454",
            test_asgi="destroy_is_final",
            _session__test_session="a_destroyed_session_takes_nothing",
        ),
        row(
            "Neither a hook that fails nor the index of users can prevent it; if the store is down, the visitor is told, and nothing pretends that they are logged out.",
            "CVE-2021-34428, ASVS 16.5.3",
            test_events="a_hook_that_raises_changes_nothing",
            _engine__test_users="a_logout_is_done_whatever_becomes_of_the_index a_logout_that_the_store_did_not_hear_is_no_logout",
        ),
        row(
            "A log-out without a session, and a visitor who only looks, write nothing.",
            "CVE-2015-5963, CVE-2015-5964",
            test_asgi="destroying_nothing_does_nothing an_untouched_new_session_costs_nothing "
            "reading_an_empty_session_varies_and_stores_nothing",
            _session__test_session="destroying_a_strangers_session_does_nothing",
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
            _engine__test_content="the_end_is_inside_and_out_of_the_browsers_reach",
        ),
        row(
            "What has expired is not stored again, by any store.",
            "CVE-2024-35220, CVE-2013-10075",
            **{
                "../src/sessile/testing/conformance/verbs": "replace_of_what_has_expired_is_missing "
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
            _engine__test_users="the_sessions_of_a_user_are_listed one_is_ended_by_its_handle",
            demo__test_devices="the_page_lists_where_a_user_is_logged_in one_device_is_ended all_others_are_ended",
            demo__test_browser="one_device_ends_another",
        ),
        row(
            "All sessions of an account can be ended: when it is closed, and by those who run the site.",
            "ASVS 7.4.2, 7.4.5",
            _engine__test_users="all_are_ended_when_an_account_is_closed the_sessions_of_a_tenant_are_ended",
            integrations__behaviours__endings="a_revoked_session_is_over",
        ),
        row(
            "No session outlives a revocation: not one that gets a new id at that moment, and not a log-in under way.",
            "ASVS 7.4.1, 7.4.3",
            _engine__test_revocation="a_session_that_gets_a_new_id_meanwhile_is_ended "
            "a_log_in_under_way_is_ended_or_refused a_refused_log_in_is_answered_with_503 a_mark_outlives_every_session",
            interleavings__test_pairs="each_pair_keeps_the_invariants",
            interleavings__test_triples="three_at_once_keep_the_invariants",
        ),
        row(
            "A change of password ends the others, on request.",
            "ASVS 7.4.3, CVE-2023-40273, CVE-2019-10641, CVE-2022-23502, CVE-2021-41268",
            _engine__test_users="after_a_change_of_password_the_others_are_ended",
            demo__test_password="a_change_of_password_ends_all_other_sessions "
            "a_request_in_flight_does_not_bring_its_session_back a_log_in_that_is_overtaken_by_a_change_of_password_fails",
        ),
        row(
            "The list is complete, whenever a process dies, and whatever the browser does at the time.",
            "ASVS 7.4.2",
            _engine__test_users="whenever_a_process_dies_no_session_is_missing_from_the_list an_index_outlives_what_it_names "
            "a_new_id_keeps_its_place renewing_now_and_then_is_enough",
        ),
        row(
            "How many sessions a user has at once can be limited, and the limit holds when many log in at once.",
            "ASVS 7.1.2, WSTG-SESS-11",
            _engine__test_users="beyond_the_limit_the_oldest_is_ended or_the_log_in_is_refused_with_the_list "
            "however_many_log_in_at_once_there_are_no_more",
        ),
        row(
            "Nobody lists, sees or ends a session of somebody else, whatever stands in the index.",
            "ASVS 8.2.2",
            _engine__test_users="an_index_that_names_strangers_shows_and_ends_none_of_them text_and_a_number_are_two_users",
            demo__test_devices="nobody_lists_or_ends_the_session_of_somebody_else",
            stress__test_stress="nothing_is_lost_undone_or_mixed_up",
        ),
        row(
            "Where the session travels in its cookie, nobody can list or end it; that is refused, and not pretended.",
            "CVE-2024-31999, CVE-2018-1000814",
            _engine__test_content="outside_a_request_there_is_nothing_to_open_or_end there_is_no_list_of_sessions",
        ),
        row(
            "The users of Django's own log-in are known too.",
            "ASVS 7.4.2, 7.5.2",
            django__test_auth="a_log_in_is_listed_and_the_asking_session_marked a_logout_leaves_the_index "
            "a_new_password_ends_the_others_at_once whoever_logs_in_by_the_admin_is_listed",
        ),
        row(
            "A list shows no id, and nothing that could be a cookie.",
            "CVE-2020-5224, CVE-2023-20866",
            _engine__test_users="a_handle_shows_no_id",
            demo__test_devices="a_handle_is_of_no_use_as_a_cookie",
        ),
    ],
    "Binding to a device": [
        row(
            "A key is bound once for each session, and only to the challenge of its offer.",
            "DBSC D1",
            _engine__device__test_binding="a_session_is_bound_once of_two_devices_that_register_at_once_one_is_bound",
        ),
        row(
            "A bound session is not loaded without the proof, and a copied proof ends by the server's clock.",
            "DBSC D2, D4, ASVS 7.2.1",
            _engine__device__test_binding="a_stolen_id_alone_is_worth_nothing a_copied_cookie_stops_working_by_our_clock "
            "a_stranger_gets_no_proof",
        ),
        row(
            "A signed challenge is good once. Each answer has one challenge, for this binding.",
            "DBSC D3, D15",
            _engine__device__test_binding="a_proof_is_good_once the_proof_is_renewed_in_one_round_trip",
        ),
        row(
            "A renewal serves the session that the cookie names, and no other.",
            "DBSC D5",
            _engine__device__test_binding="a_renewal_serves_the_session_of_the_cookie",
        ),
        row(
            "A page that saves meanwhile keeps the binding; no handler can write it.",
            "DBSC D6",
            _engine__device__test_binding="a_page_that_saves_meanwhile_keeps_the_binding a_visitor_cannot_write_the_binding",
        ),
        row(
            "A log-out, a log-in and a new id that a handler asks for end the binding. A renewed id keeps it.",
            "DBSC D7",
            _engine__device__test_binding="an_end_ends_the_binding a_new_id_meanwhile_drops_the_binding "
            "a_renewed_id_keeps_the_binding",
        ),
        row(
            "Weak, foreign and ambiguous proofs are refused. Headers are read bare and quoted.",
            "DBSC D8, D9, ASVS 9.1.2",
            _wire__device__test_proof="what_an_attacker_could_make_is_refused",
            _engine__device__test_binding="garbage_is_refused headers_are_read_bare_and_quoted",
        ),
        row(
            "What the browser is told of its cookie is what it is given.",
            "DBSC D10",
            _engine__device__test_cookie="what_is_told_and_what_is_set_agree",
        ),
        row(
            "An outage is a 503, after which the browser keeps its key.",
            "DBSC D11",
            _engine__device__test_binding="an_outage_ends_no_binding",
        ),
        row(
            "A script or a page of another origin cannot register a key.",
            "DBSC D12",
            _engine__device__test_binding="a_script_cannot_register_a_key a_page_of_another_origin_cannot_register_a_key",
        ),
        row(
            "What browsers cannot bind is refused at construction, and nothing is offered over http.",
            "DBSC D13",
            _engine__device__test_binding="what_browsers_cannot_bind_is_refused nothing_is_offered_over_http",
        ),
        row(
            "The limits of life hold for a bound session too.",
            "DBSC D14",
            _engine__device__test_binding="limits_of_life_hold",
        ),
        row(
            "A real browser understands what is sent, and so does one that follows the specification.",
            "DBSC D16",
            _engine__device__test_binding="a_session_is_bound_at_log_in",
            _engine__device__test_chromium="chromium_registers_and_refreshes_in_one_round_trip",
            _engine__device__test_site_in_chromium="a_stolen_cookie_is_worthless_and_the_visitor_goes_on",
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
            _engine__test_rotation="once_it_is_over_the_old_token_is_dead_and_its_use_is_told",
        ),
        row(
            "Weak settings are found before they are used: by the options themselves, and by `sessile check`.",
            "ASVS 13.3.1, 7.1",
            test_options="a_weak_secret_is_warned_of the_defaults_are_safe",
            cli__test_check="what_is_weak_is_found every_check_is_tried_and_explained",
        ),
    ],
    "ASVS 5.0: cookies (3.3), headers (3.4), separation of origins (3.5)": [
        row(
            "The cookie is Secure, and a name with __Secure- or __Host- keeps what the prefix promises.",
            "ASVS 3.3.1, 3.3.3",
            unmet="by default the name is connect.sid, with no prefix, because Node's applications read it; `name=` takes one",
            test_options="a_prefix_is_a_promise a_prefix_that_is_kept_is_accepted a_cookie_that_no_browser_takes_is_refused",
            test_asgi="secure_auto_follows_the_scheme a_secure_cookie_over_http_stores_nothing",
            servers__test_chromium="https_in_a_browser a_secure_site_by_http_in_a_browser",
        ),
        row(
            "SameSite is always said: Lax, unless the options say otherwise.",
            "ASVS 3.3.2",
            test_options="the_defaults_are_safe",
            integrations__behaviours__cookies="attributes_are_those_of_the_options",
            servers__test_chromium="https_in_a_browser http_in_a_browser",
        ),
        row(
            "No script can read the cookie, and the token leaves in Set-Cookie only, unless a header is asked for.",
            "ASVS 3.3.4",
            test_options="the_defaults_are_safe",
            servers__test_chromium="https_in_a_browser http_in_a_browser",
            integrations__behaviours__cookies="the_token_may_travel_in_a_header",
        ),
        row(
            "No cookie is larger than a browser takes: what does not fit is an error that names the largest key.",
            "ASVS 3.3.5",
            _engine__test_content="a_session_larger_than_a_cookie_is_an_error_that_names_the_fattest_key a_session_that_just_fits",
        ),
        row(
            "Headers that protect pages: HSTS, CORS, CSP, nosniff, Referrer-Policy, frame-ancestors, COOP.",
            "ASVS 3.4.1 to 3.4.8",
            unmet="they are the application's: a library for sessions sets the headers of the session and no others",
            test_asgi="other_headers_are_left_alone",
            integrations__behaviours__responses="what_does_not_look_says_nothing",
        ),
        row(
            "A request that changes something comes from a page of our own, from an origin that is allowed, or from no browser.",
            "ASVS 3.5.1, 3.5.2",
            _wire__test_origins="what_passes what_is_refused",
            integrations__behaviours__responses="a_page_of_another_origin_changes_nothing",
            servers__test_cross_origin="a_page_of_another_origin_changes_nothing the_pages_of_the_site_may_do_all_that "
            "our_own_form_that_another_site_sends_back_is_refused an_origin_that_is_allowed_may_send",
        ),
        row(
            "Nor does a page of another origin open a WebSocket in its visitor's name.",
            "ASVS 3.5.1, 4.4.2",
            integrations__behaviours__sockets="a_page_of_another_origin_opens_no_websocket",
            servers__test_cross_origin="a_page_of_another_origin_opens_no_websocket",
        ),
        row(
            "What changes something is asked for by POST, PUT, PATCH or DELETE.",
            "ASVS 3.5.3",
            unmet="the library cannot see what a handler does: GET, HEAD, OPTIONS and TRACE pass",
            servers__test_cross_origin="a_page_of_another_origin_changes_nothing the_demonstration",
        ),
        row(
            "Applications are apart: another host's page is another origin, a sub-domain and a port too.",
            "ASVS 3.5.4",
            servers__test_cross_origin="a_page_of_another_origin_changes_nothing",
            integrations__behaviours__cookies="two_sites_have_two_sessions",
        ),
        row(
            "postMessage, JSONP, data in scripts, and who may load a resource.",
            "ASVS 3.5.5 to 3.5.8",
            unmet="they are the application's. What a page reads of the session is not kept in a shared cache",
            test_asgi="every_way_of_looking_counts a_response_that_sets_the_cookie_is_stored_by_no_cache",
        ),
    ],
    "ASVS 5.0: session management (7)": [
        row(
            "How long a session lives and how many a user may have is written down: in the options, which `sessile check` reads.",
            "ASVS 7.1.1, 7.1.2",
            test_lifetime="what_nist_asks_for",
            _engine__test_users="beyond_the_limit_the_oldest_is_ended",
            cli__test_check="limits_of_a_life_are_looked_at",
        ),
        row(
            "Sessions of a federation: their lives at both ends, and what ends them together.",
            "ASVS 7.1.3, 7.6.1",
            unmet="the library speaks to no identity provider. `revoke_user` and `revoke_where` are what its log-out calls",
            _engine__test_users="the_sessions_of_a_tenant_are_ended all_are_ended_when_an_account_is_closed",
        ),
        row(
            "Tokens are checked by the server, and by nobody else.",
            "ASVS 7.2.1",
            test_asgi="a_forged_cookie_never_reaches_the_store",
            _wire__test_signing="another_secret_does_not_fit one_changed_byte_breaks_a_token",
        ),
        row(
            "They are made for each session; no fixed key stands for one.",
            "ASVS 7.2.2",
            test_asgi="an_unknown_id_is_never_adopted a_genid_that_repeats_itself_overwrites_nobody",
        ),
        row(
            "An id has 192 random bits of the operating system.",
            "ASVS 7.2.3",
            _wire__test_signing="ids_are_those_of_uid_safe",
            _session__test_session="the_id_is_stable_and_safe_in_a_url",
        ),
        row(
            "A log-in, the first and every other, makes a new token and ends the one before.",
            "ASVS 7.2.4",
            test_asgi="login_changes_the_id_and_keeps_the_cart",
            _engine__test_rotation="a_login_leaves_no_grace",
            integrations__behaviours__endings="login_changes_the_id",
        ),
        row(
            "A session ends when it is not used, and after so long in all.",
            "ASVS 7.3.1, 7.3.2",
            test_lifetime="without_a_visit_it_ends_after_the_idle_limit_whatever_the_cookie_says "
            "however_busy_it_is_it_ends_after_the_absolute_limit",
        ),
        row(
            "After a log-out and after its end nobody can use it; all sessions of a closed account end, and the others after a "
            "change of password; those who run the site can end one or all.",
            "ASVS 7.4.1, 7.4.2, 7.4.3, 7.4.5",
            _engine__test_users="all_are_ended_when_an_account_is_closed after_a_change_of_password_the_others_are_ended",
            _engine__test_revocation="a_session_that_gets_a_new_id_meanwhile_is_ended a_log_in_under_way_is_ended_or_refused",
            console__test_browser="an_operator_ends_a_session",
            integrations__behaviours__endings="logout_ends_the_session an_expired_session_is_over a_revoked_session_is_over",
        ),
        row(
            "Every page that needs a log-in shows how to log out.",
            "ASVS 7.4.4",
            unmet="pages are the application's; the demonstration's do",
            demo__test_browser="the_shop_remembers_its_visitor",
        ),
        row(
            "What is delicate asks for a fresh proof of identity.",
            "ASVS 7.5.1, 7.5.3",
            _engine__test_users="a_log_in_is_fresh_for_a_while_and_again_after_a_password",
            demo__test_password="a_change_of_password_ends_all_other_sessions",
        ),
        row(
            "Users see their sessions, and end them.",
            "ASVS 7.5.2",
            demo__test_devices="the_page_lists_where_a_user_is_logged_in one_device_is_ended all_others_are_ended",
        ),
        row(
            "No session is made without an act of the user.",
            "ASVS 7.6.2",
            test_asgi="an_untouched_new_session_costs_nothing",
            servers__test_cross_origin="a_page_of_another_origin_changes_nothing",
        ),
    ],
    "Thirty invariants": [
        row(
            "Only ids that we made and that exist are used; nothing of another one is echoed or stored.",
            "I1",
            _engine__test_hostile="any_cookie_header_is_served_and_no_id_adopted",
            test_asgi="a_forged_cookie_never_reaches_the_store an_unknown_id_is_never_adopted",
        ),
        row(
            "An id is random, and is checked before the store is asked.",
            "I2",
            unmet="256 bits: it has the 192 of express-session, so that Node makes and takes the same; and `genid` may make ids, "
            "which count only with our signature",
            _wire__test_signing="ids_are_those_of_uid_safe what_was_signed_is_returned the_value_ends_at_the_last_dot",
            test_asgi="genid_makes_the_ids a_forged_cookie_never_reaches_the_store",
        ),
        row(
            "The store does not see the id: with `hash_ids=True` it has a digest.",
            "I3",
            unmet="not by default: Node looks sessions up by their id. An id is worth nothing without our signature",
            codecs__test_codecs="a_session_lives_through_any_codec listed_sessions_of_hashed_ids_can_be_ended",
            _engine__test_users="a_handle_shows_no_id",
        ),
        row(
            "A new id ends the old record at once, with the tokens that hung on it, whether the new cookie arrives or not.",
            "I4",
            test_asgi="regenerate_gives_a_new_id_and_kills_the_old regenerate_ends_the_old_session_though_the_new_one_cannot_be_sent",
            test_pyramid="remember_changes_the_id_and_the_csrf_token",
        ),
        row(
            "What has ended does not come back: a write only replaces what it has read, a creation only what is absent.",
            "I5",
            test_asgi="a_logout_is_never_undone_by_a_request_in_flight a_rotation_is_never_undone_by_a_request_in_flight",
            interleavings__test_pairs="each_pair_keeps_the_invariants",
            **{
                "../src/sessile/testing/conformance/verbs": "replace_never_creates touch_never_creates create_refuses_what_is_there "
                "replace_of_what_is_expected replace_of_something_else_is_a_conflict",
                "../src/sessile/testing/conformance/races": "deleting_among_writers_is_final of_many_creators_one_wins",
            },
        ),
        row(
            "After `destroy` nothing is stored, and the cookie goes.",
            "I6",
            test_asgi="destroy_is_final destroy_removes_the_record_and_expires_the_cookie",
            _session__test_session="a_destroyed_session_takes_nothing",
        ),
        row(
            "No hook prevents it, and a failure is told.",
            "I7",
            test_events="a_hook_that_raises_changes_nothing",
            _engine__test_users="a_logout_is_done_whatever_becomes_of_the_index a_logout_that_the_store_did_not_hear_is_no_logout",
        ),
        row(
            "The record and our clock decide when a session ends; a store's own removal is for room.",
            "I8",
            test_asgi="an_expired_record_is_no_session",
            test_lifetime="a_limit_that_is_set_later_holds_for_sessions_of_before",
            **{"../src/sessile/testing/conformance/verbs": "load_is_none_from_the_end_on"},
        ),
        row(
            "No use extends a session beyond its absolute limit.",
            "I9",
            test_lifetime="however_busy_it_is_it_ends_after_the_absolute_limit a_new_id_alone_begins_nothing_anew",
        ),
        row(
            "Nothing is stored for a visitor who only looks, for an unknown id, or for a log-out without a session.",
            "I10",
            test_asgi="an_untouched_new_session_costs_nothing reading_an_empty_session_varies_and_stores_nothing "
            "destroying_nothing_does_nothing an_unknown_id_is_never_adopted",
        ),
        row(
            "What is too large or nested too deep is refused before it is written, and the record stays as it was.",
            "I11",
            unmet="64 KiB: the default is 1 MiB, for sessions that Node wrote. The number of keys has no limit of its own",
            _engine__test_size="what_is_too_large_is_refused_and_named a_new_session_has_the_same_limit "
            "two_requests_that_fit_alone_are_refused_together messages_are_bounded",
            _records__test_record="depth_is_limited_both_ways_alike",
            _engine__test_content="a_session_larger_than_a_cookie_is_an_error_that_names_the_fattest_key",
        ),
        row(
            "Records are data. What cannot be read is no session and an event, never an error page.",
            "I12",
            _records__test_record="no_bytes_raise what_is_no_record_is_corrupt too_many_digits_are_refused "
            "brackets_in_texts_hide_no_depth",
            _engine__test_hostile="any_stored_bytes_are_served a_number_that_no_float_can_hold_is_no_error",
            codecs__test_codecs="no_stored_bytes_raise",
            test_events="a_corrupt_record_is_told",
            fuzz__test_fuzz="no_input_raises",
        ),
        row(
            "What is encrypted opens under its own id, or its own cookie's name, and nowhere else.",
            "I13",
            codecs__test_codecs="an_encrypted_record_is_bound_to_its_id",
            _engine__test_content="it_is_bound_to_the_name_of_the_cookie",
            _wire__test_sealing="a_seal_is_for_one_purpose_in_one_context nothing_that_was_changed_opens",
        ),
        row(
            "What does not verify is refused, and is tried in no weaker way. Each purpose has its own key, and weak secrets are refused.",
            "I14",
            unmet="a weak secret that Node may need is warned of and not refused; records in clear and signed tokens are read "
            "beside encrypted ones until an option says otherwise",
            _wire__test_signing="the_first_secret_signs_and_all_verify another_secret_does_not_fit",
            _engine__test_keys="the_secret_itself_signs_cookies_and_nothing_else what_one_purpose_makes_no_other_takes",
            codecs__test_codecs="records_in_clear_are_not_believed_where_all_are_to_be_encrypted",
            test_options="a_weak_secret_is_warned_of a_weak_secret_is_refused_where_node_does_not_need_it "
            "the_key_of_a_codec_is_no_weak_one",
        ),
        row(
            "MACs are compared as bytes, and no text makes that raise.",
            "I15",
            unmet="no test measures the time: `hmac.compare_digest` is what compares",
            _wire__test_signing="no_bytes_raise no_text_raises",
        ),
        row(
            "The cookie is HttpOnly, SameSite=Lax, Path=/ and of no domain; options that browsers would drop are refused.",
            "I16",
            unmet="the name has no __Host- and Secure follows the request's scheme, so that the first try on localhost works and "
            "Node reads the cookie; `sessile check` asks for more",
            test_options="the_defaults_are_safe a_prefix_is_a_promise a_cookie_that_no_browser_takes_is_refused",
        ),
        row(
            "A Set-Cookie line fits the grammar or is refused; there is one, and its promise is no longer than browsers keep it.",
            "I17",
            test_cookies="a_header_fits_the_grammar_or_is_refused a_promise_is_no_longer_than_a_browser_keeps_it "
            "dates_are_those_of_http",
            integrations__behaviours__cookies="a_cookie_is_sent_once",
        ),
        row(
            "Cookie headers are read as bytes, exactly by name, in time that grows with their length.",
            "I18",
            test_cookies="parsing_never_raises a_name_is_exact percent_encoded_names_forge_nothing a_megabyte_of_header_is_read",
            _engine__test_hostile="a_megabyte_of_cookies_is_read_in_one_pass",
            test_linear="work_grows_no_faster_than_its_input",
        ),
        row(
            "Of two live cookies of one name none is believed, and at most four are looked at.",
            "I19",
            test_asgi="of_two_live_cookies_none_is_believed a_live_cookie_is_found_among_bad_ones",
            test_cookies="no_more_than_four_candidates_are_looked_at",
            integrations__behaviours__cookies="two_live_cookies_are_not_believed",
        ),
        row(
            "Whatever looks adds Vary: Cookie; whatever sets the cookie adds Cache-Control: no-store.",
            "I20",
            test_asgi="every_way_of_looking_counts vary_is_merged a_response_that_sets_the_cookie_is_stored_by_no_cache",
            integrations__behaviours__responses="the_response_says_that_it_varies what_sets_the_cookie_is_not_cached",
        ),
        row(
            "A secure cookie leaves over https only, and only a trusted proxy is believed about that.",
            "I21",
            test_asgi="a_secure_cookie_over_http_stores_nothing",
            _wire__test_proxy="nothing_forged_makes_plain_http_secure an_untrusted_peer_is_not_believed",
            servers__test_chromium="a_forged_header_gets_a_cookie_that_the_browser_drops",
        ),
        row(
            "Ids, tokens, keys and data stand in no log, repr, exception or metric.",
            "I22",
            test_events="no_id_is_told no_text_of_a_client_is_in_the_log",
            test_facts="a_repr_shows_no_token what_the_library_hands_on_shows_neither_ids_nor_data",
            test_options="no_message_has_the_secret_in_it the_repr_shows_neither_secret_nor_data",
            cli__test_canary="no_command_shows_a_secret_an_id_or_a_value an_outage_shows_no_password",
        ),
        row(
            "Requests are apart: a reply that is late, or whose request was cancelled or forked away, is nobody else's.",
            "I23",
            integrations__behaviours__encounters="many_visitors_at_once_are_kept_apart",
            servers__test_forks="each_visitor_sees_their_own_session",
            _session__test_session="after_the_response_nothing_is_taken",
            **{
                "../src/sessile/testing/conformance/faults": "replies_that_come_late_are_nobody_elses "
                "a_request_that_is_cancelled_leaves_nothing_behind"
            },
        ),
        row(
            "No id can reach what is not a session, leave its folder or its statement.",
            "I24",
            unmet="keys are Node's: prefix and id, not always a digest (I3). What is no id is absent and does no harm",
            **{
                "../src/sessile/testing/conformance/oddities": "a_strange_id_is_absent_and_harmless strange_ids_are_kept_apart",
                "../src/sessile/testing/conformance/abilities": "the_index_is_apart_from_the_sessions",
            },
        ),
        row(
            "A store that fails is not an absent session: 503, and the cookie stays.",
            "I25",
            test_asgi="a_store_that_is_down_is_a_503_and_the_cookie_stays a_failed_creation_sends_no_cookie "
            "a_failed_read_destroys_nothing",
            integrations__behaviours__outages="a_load_that_fails_is_503 a_commit_that_fails_is_503",
        ),
        row(
            "One session, all of a user, all but this one can be ended, by handles that are no credentials.",
            "I26",
            _engine__test_users="one_is_ended_by_its_handle all_are_ended_when_an_account_is_closed "
            "after_a_change_of_password_the_others_are_ended a_handle_shows_no_id",
            demo__test_devices="a_handle_is_of_no_use_as_a_cookie",
        ),
        row(
            "A session in its cookie has its end inside, where the browser cannot move it.",
            "I27",
            unmet="it cannot be revoked by the server: that is refused, and the documentation says so first",
            _engine__test_content="the_end_is_inside_and_out_of_the_browsers_reach "
            "outside_a_request_there_is_nothing_to_open_or_end there_is_no_list_of_sessions",
        ),
        row(
            "Who is logged in stands apart from the data, and a new id keeps what it is told to keep.",
            "I28",
            _session__test_session="our_own_fields_are_not_the_handlers reserved_keys_are_refused a_new_id_keeps_what_it_is_told_to",
        ),
        row(
            "Pyramid's token against forged requests is new after a log-in. Elsewhere `cross_origin` needs no token.",
            "I29",
            unmet="it is not masked anew in each response, as Pyramid's own is not",
            test_pyramid="csrf_tokens remember_changes_the_id_and_the_csrf_token",
            servers__test_cross_origin="a_page_of_another_origin_changes_nothing",
        ),
        row(
            "Headers that are not ours stay as they are.",
            "I30",
            test_asgi="other_headers_are_left_alone",
            test_http="vary_is_added_to no_line_of_vary_is_lost",
            integrations__behaviours__responses="what_it_varied_by_before_stays",
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
            if each.unmet:
                proofs += f"<br>**Not met**: {each.unmet}."
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
