"""What must not outlive a change (rows 2, 9), and what must not be left without an owner (row 18)."""

from __future__ import annotations

from tests.security.mutant import Mutant, replace, rewrite

STALE = "test_stale_credentials.py::test_"
ONCE = "test_one_time_tokens.py::test_"
ENDS = STALE + "what_ends_sessions_ends_every_credential_on_every_worker"
END_SESSIONS = "regstack.testing.memory.users:MemoryUsers._end_sessions"
UNCHANGED = (
    "test_failing_closed.py::test_a_conditional_write_that_changed_nothing_is_never_taken_for_a_success"
)

MUTANTS = [
    Mutant(
        "9",
        "what ends sessions raises the version in the same statement",
        rewrite(END_SESSIONS, ("token_version=user.token_version + 1", "token_version=user.token_version")),
        (ENDS,),
    ),
    Mutant(
        "9",
        "a sign-in signs the version that its password was checked against",
        rewrite(
            "regstack.services.admission:Admission.admit",
            ("self._sessions.issue(user)", "self._sessions.issue(await self._users.get_by_id(user.id))"),
        ),
        (STALE + "a_login_in_flight_during_a_reset_signs_a_dead_token",),
    ),
    Mutant(
        "9",
        "a change of password counts only for the version that asked for it",
        rewrite(
            "regstack.services.passwords:Passwords.change",
            ("hashed, token_version=user.token_version", "hashed"),
        ),
        (STALE + "a_change_authorised_by_the_old_password_loses_against_a_reset", UNCHANGED),
    ),
    Mutant(
        "9",
        "a deletion counts only for the version that asked for it",
        rewrite(
            "regstack.services.accounts:Accounts.delete",
            ("user.id, token_version=user.token_version", "user.id"),
        ),
        (STALE + "a_deletion_authorised_by_the_old_password_loses_against_a_reset", UNCHANGED),
    ),
    Mutant(
        "9",
        "a change of address counts only for the version that asked for it",
        rewrite(
            "regstack.services.email_change:EmailChange.request",
            ("token_version=user.token_version,", ""),
        ),
        (UNCHANGED,),
    ),
    Mutant(
        "9",
        "a reset link is stored only for the version that it was asked for",
        rewrite(
            "regstack.services.passwords:Passwords._send_reset_link",
            ("self._ttl, token_version=user.token_version", "self._ttl"),
        ),
        (
            STALE + "a_reset_asked_for_before_a_change_of_address_sends_nothing_after_it",
            STALE + "a_reset_asked_for_before_a_change_of_password_sends_nothing_after_it",
        ),
    ),
    Mutant(
        "9",
        "confirming an address ends the sessions from before",
        rewrite(
            "regstack.testing.memory.users:MemoryUsers.create_from_pending",
            (
                "self._end_sessions(known, now, is_verified=True)",
                "self._change(known, now, is_verified=True)",
            ),
        ),
        (STALE + "confirming_an_unverified_account_ends_the_sessions_it_had",),
    ),
    Mutant(
        "9",
        "an unverified account gets a new password before it is made an administrator's",
        rewrite(
            "regstack.services.registration:Registration._make_superuser",
            ("if found is not None and not found.is_verified:", "if False:"),
        ),
        (STALE + "a_squatter_of_the_administrator_s_address_is_shut_out",),
    ),
    Mutant(
        "9",
        "an account that changes while its new password is hashed is not made an administrator's",
        rewrite(
            "regstack.services.registration:Registration._make_superuser",
            ("hashed, token_version=found.token_version", "hashed"),
        ),
        (STALE + "who_moves_the_account_meanwhile_is_no_administrator",),
    ),
    Mutant(
        "9",
        "an account that changes after it was found is not made an administrator's",
        rewrite(
            "regstack.services.registration:Registration._make_superuser",
            ("is_verified=True, token_version=found.token_version", "is_verified=True"),
        ),
        (STALE + "who_moves_the_account_meanwhile_is_no_administrator",),
    ),
    Mutant(
        "2",
        "a reset token is used up",
        rewrite(END_SESSIONS, ("self._store.reset_tokens.pop(user.id, None)", "pass")),
        (
            ONCE + "a_reset_token_sent_fifty_times_at_once_works_once",
            ONCE + "a_reset_token_is_burnt_although_its_user_sets_the_same_password_again",
            ONCE + "a_token_sent_to_two_workers_at_once_works_on_one",
            ENDS,
        ),
    ),
    Mutant(
        "2",
        "a token for a new address is used up",
        rewrite(END_SESSIONS, ("self._store.email_changes.pop(user.id, None)", "pass")),
        (ONCE + "a_token_for_a_new_address_sent_fifty_times_at_once_works_once", ENDS),
    ),
    Mutant(
        "2",
        "a verification token is used up",
        rewrite(
            "regstack.testing.memory.users:MemoryUsers.create_from_pending",
            ("del self._store.pending[row.email_key]", "pass"),
        ),
        (
            ONCE + "a_verification_token_sent_fifty_times_at_once_works_once",
            ONCE + "a_token_sent_to_two_workers_at_once_works_on_one",
        ),
    ),
    Mutant(
        "2",
        "a mailed token holds 256 random bits",
        replace("regstack.auth.one_time:TOKEN_BYTES", 8),
        (ONCE + "no_two_tokens_are_alike_and_none_can_be_guessed",),
    ),
    Mutant(
        "2",
        "storage knows a mailed token by its hash alone",
        rewrite(
            "regstack.auth.one_time:hash_token",
            ('return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()', "return token"),
        ),
        (ONCE + "storage_never_sees_a_token_that_could_be_used",),
    ),
    Mutant(
        "2",
        "a mailed token expires",
        rewrite(
            "regstack.testing.memory.users:MemoryUsers.reset_password",
            (" and token.expires_at > now", ""),
        ),
        ("tests/http/test_main_job.py::test_links_expire_at_the_instant_that_was_said",),
    ),
    Mutant(
        "18",
        "the last administrator stays",
        rewrite(
            "regstack.testing.memory.users:MemoryUsers._refuse_last_superuser",
            ("holders == [user.id]", "False"),
        ),
        (
            "test_last_administrator.py::test_the_last_one_can_neither_be_removed_nor_remove_himself",
            "test_last_administrator.py::test_administrators_who_delete_themselves_at_once_leave_one",
        ),
    ),
    Mutant(
        "18",
        "an administrator who is disabled is none",
        rewrite(
            "regstack.testing.memory.users:MemoryUsers._refuse_last_superuser",
            ("other.is_active and other.is_superuser", "other.is_superuser"),
        ),
        ("test_last_administrator.py::test_an_administrator_who_is_disabled_does_not_count",),
    ),
    Mutant(
        "18",
        "administration is for administrators",
        rewrite(
            "regstack.services.sessions:Sessions.require_superuser",
            ("if not session.user.is_superuser:", "if False:"),
        ),
        ("tests/http/test_administration.py::test_only_administrators_get_in",),
    ),
]
