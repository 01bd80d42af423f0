"""Signing in and up: the wrong row (1), guesses (3), failing (4), known addresses (15), hashing (16)."""

from __future__ import annotations

from typing import Any

from regstack.errors import BackendError
from tests.security.mutant import Mutant, find, replace, rewrite

LOG_IN = "regstack.services.login:Login.log_in"
FORGOT = "regstack.services.passwords:Passwords.forgot"
ADMIT = "regstack.services.login:Login._check"
REGISTER = "regstack.services.registration:Registration.register"
TAKE = "regstack.services.registration:Registration._take"
SAME = "test_enumeration.py::test_every_address_gets_the_same_answer_for_the_same_work"
TURNS = "test_enumeration.py::test_every_address_gives_way_to_the_event_loop_equally_often"
LATER = "test_enumeration.py::test_no_mail_is_made_before_the_answer"
FIFTY = "test_guessing.py::test_of_fifty_wrong_passwords_exactly_five_are_evaluated"
VERIFY = "check = await self._hasher.verify(password, found.hashed_password if found else None, turn)"


async def on_the_loop(turn: Any, work: Any) -> Any:
    return work()


def fails_open(target: str) -> Any:
    """Let a guard that cannot be asked say yes."""

    def change() -> None:
        guard = find(target)[2]

        async def lenient(*args: Any, **kwargs: Any) -> None:
            try:
                await guard(*args, **kwargs)
            except BackendError:
                return

        replace(target, lenient)()

    return change


MUTANTS = [
    Mutant(
        "1",
        "the row of a sign-in is the one of the address",
        rewrite(LOG_IN, (" and found.email_key == key", "")),
        ("test_wrong_row.py::test_a_sign_in_whose_row_belongs_to_another_address_is_refused",),
    ),
    Mutant(
        "3",
        "guesses at a sign-in are counted",
        rewrite(LOG_IN, ("await self._lockout.claim(LOGIN, key)", "pass")),
        (FIFTY, SAME),
    ),
    Mutant(
        "3",
        "a guess is paid for before it is compared",
        rewrite(
            LOG_IN,
            ("await self._lockout.claim(LOGIN, key)\n", "\n"),
            (VERIFY, f"{VERIFY}\n        await self._lockout.claim(LOGIN, key)"),
        ),
        (FIFTY, SAME),
    ),
    Mutant(
        "3",
        "guesses at the current password are counted",
        rewrite(
            "regstack.services.reauthentication:Reauthentication.of",
            ("await self._lockout.claim(PASSWORD, user.email_key, signed_in=True)", "pass"),
        ),
        (
            "test_guessing.py::test_guessing_the_current_password_with_a_stolen_token_is_limited_too",
            "test_failing_closed.py::test_no_password_is_compared_where_the_guess_cannot_be_counted",
        ),
    ),
    Mutant(
        "4",
        "a guess that cannot be counted is not compared",
        fails_open("regstack.services.lockout:Lockout.claim"),
        ("test_failing_closed.py::test_no_password_is_compared_where_the_guess_cannot_be_counted",),
    ),
    Mutant(
        "4",
        "a logout that was not stored is no logout",
        fails_open("regstack.services.sessions:Sessions.end"),
        ("test_failing_closed.py::test_a_logout_that_was_not_stored_does_not_say_it_was",),
    ),
    Mutant(
        "4",
        "an unavailable database has a status of its own",
        rewrite("regstack.routers.errors:to_http", ("if status is None:", "status = 200\n    if False:")),
        (
            "test_failing_closed.py::test_nobody_is_signed_in_by_a_database_that_does_not_answer",
            "test_failing_closed.py::test_an_unreachable_database_is_a_503_that_says_when_to_come_back",
        ),
    ),
    Mutant(
        "15",
        "an address without an account costs a verification like any other",
        rewrite(LOG_IN, (VERIFY, f"if found is None: raise InvalidCredentials\n        {VERIFY}")),
        (SAME, "test_enumeration.py::test_every_sign_in_costs_exactly_one_argon2"),
    ),
    Mutant(
        "15",
        "nobody's hash costs what a real one costs",
        rewrite(
            "regstack.auth.passwords:_unmatched_hash",
            ("t={parameters.time_cost}", "t={parameters.time_cost + 1}"),
        ),
        ("tests/unit/auth/test_passwords.py::test_nobody_s_hash_costs_what_a_real_one_costs",),
    ),
    Mutant(
        "15",
        "the standing of an account is told after the right password alone",
        rewrite(
            LOG_IN,
            (
                VERIFY,
                "if subject.user and not subject.user.is_active:\n"
                f"            raise AccountDisabled\n        {VERIFY}",
            ),
        ),
        (SAME,),
    ),
    Mutant(
        "15",
        "under quiet registration a pending address signs in like an unknown one",
        rewrite(ADMIT, (" or (user is None and self._quiet)", "")),
        ("test_enumeration.py::test_under_quiet_registration_a_pending_address_is_no_different_at_sign_in",),
    ),
    Mutant(
        "15",
        "forgot-password answers alike for all",
        rewrite(
            FORGOT,
            (
                "user = await self._users.get_by_email(key)",
                "user = await self._users.get_by_email(key)\n"
                "    if user is None:\n        raise InvalidOneTimeToken",
            ),
        ),
        (SAME,),
    ),
    Mutant(
        "15",
        "a reset link is made after the answer",
        rewrite(
            FORGOT,
            (
                'self._background.put(lambda: self._send_reset_link(user), label="forgot-password")',
                "await self._send_reset_link(user)",
            ),
        ),
        (SAME, LATER),
    ),
    Mutant(
        "15",
        "a verification link is sent again after the answer",
        rewrite(
            "regstack.services.registration:Registration.resend",
            (
                'self._background.put(lambda: self._send_again(subject), label="resend-verification")',
                "await self._send_again(subject)",
            ),
        ),
        (SAME, LATER),
    ),
    Mutant(
        "15",
        "a quiet registration is stored after the answer",
        rewrite(
            TAKE,
            (
                'self._background.put(lambda: self._store_quietly(owner, token, pending), label="register")',
                "await self._store_quietly(owner, token, pending)",
            ),
        ),
        ("test_enumeration.py::test_quiet_registration_does_the_same_work_for_every_address", LATER),
    ),
    Mutant(
        "15",
        "a registration is hashed before the address is looked up",
        rewrite(
            REGISTER,
            (
                "hashed = await self._hasher.hash(password, turn)",
                "if await self._users.get_by_email(address.key):\n"
                "            raise UserAlreadyExistsError\n"
                "        hashed = await self._hasher.hash(password, turn)",
            ),
        ),
        (
            "test_enumeration.py::"
            "test_registering_hashes_before_it_looks_whether_or_not_the_address_is_taken",
            "test_enumeration.py::test_quiet_registration_does_the_same_work_for_every_address",
        ),
    ),
    Mutant(
        "15",
        "a change of address does not tell whether the new one is known",
        rewrite(
            "regstack.services.email_change:EmailChange.request",
            (
                "address = parse_email(new_email)",
                "address = parse_email(new_email)\n"
                "    if await self._users.get_by_email(address.key):\n"
                "        raise InvalidToken",
            ),
        ),
        ("test_enumeration.py::test_a_change_of_address_does_not_tell_whether_the_new_one_is_known",),
    ),
    Mutant(
        "15",
        "a full queue does not change the answer",
        rewrite(
            "regstack.services.background:BackgroundQueue.put",
            (
                "self._warn_of_drops(label)",
                "from datetime import timedelta\n"
                "        from regstack.errors import Overloaded\n"
                "        raise Overloaded(timedelta(seconds=2))",
            ),
        ),
        ("test_enumeration.py::test_a_full_queue_drops_and_counts_and_does_not_change_the_answer",),
    ),
    Mutant(
        "16",
        "passwords are hashed off the event loop",
        replace("regstack.auth.bounded_threads:Turn.run", on_the_loop),
        (
            "test_password_hashing.py::test_argon2_never_runs_on_the_event_loop",
            "tests/unit/auth/test_passwords.py::test_hashing_never_runs_on_the_event_loop",
        ),
    ),
    Mutant(
        "16",
        "who is turned away by a busy server has not guessed",
        rewrite(
            LOG_IN,
            (
                "with self._hasher.turn() as turn,",
                "await self._lockout.claim(LOGIN, key)\n    with self._hasher.turn() as turn,",
            ),
        ),
        ("test_password_hashing.py::test_a_storm_of_logins_does_not_lock_out_who_was_only_turned_away",),
    ),
    Mutant(
        "16",
        "a place is taken before a guess is paid for, and not only looked for",
        rewrite(
            LOG_IN,
            ("as turn, self", "as turn: pass\n    turn = None\n    with self"),
        ),
        ("test_password_hashing.py::test_a_storm_of_logins_does_not_lock_out_who_was_only_turned_away",),
        database="sqlite",
    ),
    Mutant(
        "16",
        "who hangs up leaves the queue for hashing",
        replace("regstack.auth.bounded_threads:BoundedThreads.watch", lambda threads: None),
        ("test_password_hashing.py::test_whoever_hangs_up_leaves_the_queue_at_once_and_a_record",),
    ),
    Mutant(
        "16",
        "strangers leave room in the queue for those who are signed in",
        rewrite(
            "regstack.auth.bounded_threads:BoundedThreads.turn.__wrapped__",
            ("(0 if signed_in else self._kept)", "0"),
        ),
        ("test_password_hashing.py::test_a_full_queue_of_strangers_leaves_room_for_those_who_are_signed_in",),
    ),
    Mutant(
        "16",
        "the queue for hashing is bounded",
        rewrite(
            "regstack.auth.bounded_threads:BoundedThreads.__init__",
            ("self._capacity = threads + queue_size", "self._capacity = 10**9"),
        ),
        (
            "tests/unit/auth/test_passwords.py::test_more_than_may_wait_are_turned_away_and_the_rest_is_served",
        ),
    ),
]
