"""The second factor, with one defence less each."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

from regstack.auth.tokens import ACCESS
from regstack.errors import ChallengeOver, WrongCode
from regstack.models.mfa_code import MfaKind
from tests.security.mutant import Mutant, all_of, replace, rewrite

CODES = "regstack.services.texted_codes:TextedCodes"
FACTOR = "regstack.services.second_factor:SecondFactor"
PHONE = "regstack.services.phone:Phone"
LOGIN = "regstack.services.login:Login.log_in"


async def compare_then_use_up(self: Any, user: Any, kind: str, claims: Any, code: str) -> str:
    """Finds the code, compares it and deletes it, as three steps."""
    found = await self._codes.find(user.id, kind)
    await asyncio.sleep(0)
    if found is None:
        raise ChallengeOver
    if found.code_hash != self._hash(kind, claims, code):
        raise WrongCode
    await self._codes.delete(user.id, kind)
    return str(found.target)


MUTANTS = [
    Mutant(
        "5",
        "an account with an unconfirmed address sets no second factor up",
        rewrite("regstack.services.phone:Phone.start", ("if not user.is_verified:", "if False:")),
        ("test_pre_hijacking.py::test_nobody_plants_a_phone_in_an_account_that_is_not_confirmed",),
    ),
    Mutant(
        "2",
        "a texted code is used up by the comparison itself",
        replace(f"{CODES}.redeem", compare_then_use_up),
        ("test_second_factor.py::test_the_right_code_fifty_times_at_once_lets_one_in",),
    ),
    Mutant(
        "2",
        "a texted code belongs to one half-finished sign-in",
        rewrite(f"{CODES}._hash", ("{kind}:{claims.jti}:{code}", "{kind}:{code}")),
        ("test_second_factor.py::test_a_code_finishes_only_the_sign_in_that_it_was_sent_for",),
    ),
    Mutant(
        "3",
        "guesses at texted codes are counted beyond the code",
        rewrite(
            f"{CODES}.redeem",
            ("await self._lockout.claim(MFA, user.email_key,", "dict("),
        ),
        (
            "test_second_factor.py::test_of_fifty_guesses_at_once_no_more_than_five_are_compared",
            "test_second_factor.py::test_new_codes_bring_no_new_guesses",
            "test_second_factor.py::test_a_password_reset_brings_no_new_guesses",
        ),
    ),
    Mutant(
        "3",
        "guesses at texted codes are counted for the account",
        rewrite(f"{CODES}.redeem", ("claim(MFA, user.email_key", "claim(MFA, claims.jti")),
        ("test_second_factor.py::test_new_codes_bring_no_new_guesses",),
    ),
    Mutant(
        "3",
        "a code bounds its own guesses",
        rewrite(f"{CODES}.send", ("max_attempts=self._max_attempts", "max_attempts=10**6")),
        ("test_second_factor.py::test_a_code_bounds_its_guesses_even_where_limits_are_off",),
    ),
    Mutant(
        "3",
        "texts are counted for the account",
        rewrite(
            f"{CODES}.send",
            ("await self._lockout.claim(SMS, user.email_key,", "dict("),
        ),
        (
            "test_second_factor.py::test_texts_are_limited_for_the_account_at_sign_in_and_set_up_together",
            "test_second_factor.py::test_sign_ins_that_succeed_do_not_make_texts_free",
        ),
    ),
    Mutant(
        "3",
        "a confirmed phone forgives no guesses",
        rewrite(
            f"{PHONE}.confirm",
            (
                "await self._codes.drop(user, MfaKind.LOGIN)",
                "await self._lockout.clear('mfa', user.email_key)",
            ),
        ),
        ("test_second_factor.py::test_a_phone_that_is_confirmed_brings_no_new_guesses",),
    ),
    Mutant(
        "3",
        "the lockout is cleared by the last factor alone",
        rewrite(
            LOGIN,
            (
                "return await self._second_factor.begin(user)",
                "await self._admission.admit(user, LOGIN)\n"
                "        return await self._second_factor.begin(user)",
            ),
        ),
        ("test_second_factor.py::test_the_password_lockout_is_not_cleared_by_the_password_alone",),
    ),
    Mutant(
        "4",
        "a second factor that cannot be asked for lets nobody in",
        rewrite("regstack.services.login:Login._check", ("raise SecondFactorUnavailable", "pass")),
        (
            "tests/http/test_second_factor.py::"
            "test_switched_off_an_account_with_a_second_factor_is_not_let_in_without_it",
        ),
    ),
    Mutant(
        "8",
        "a half-finished sign-in is signed for a purpose of its own",
        replace("regstack.services.texted_codes:_PURPOSES", dict.fromkeys(MfaKind, ACCESS)),
        ("test_second_factor.py::test_a_half_finished_sign_in_is_no_session",),
    ),
    Mutant(
        "8",
        "codes of one kind are good for that kind alone",
        replace(
            "regstack.services.phone:MfaKind", SimpleNamespace(LOGIN=MfaKind.LOGIN, PHONE_SETUP=MfaKind.LOGIN)
        ),
        (
            "test_second_factor.py::test_a_code_for_the_phone_set_up_signs_nobody_in",
            "test_second_factor.py::test_a_session_or_a_phone_set_up_is_no_half_finished_sign_in",
        ),
    ),
    Mutant(
        "9",
        "a half-finished sign-in carries the version of the account",
        rewrite(f"{FACTOR}._find", ("or user.token_version != claims.ver", "")),
        ("test_second_factor.py::test_a_half_finished_sign_in_dies_with_every_change_of_the_account",),
    ),
    Mutant(
        "9",
        "a code is good only while its phone is the account's",
        all_of(
            rewrite(f"{FACTOR}.confirm", ("!= number", "is None")),
            rewrite(f"{PHONE}.confirm", ("await self._codes.drop(user, MfaKind.LOGIN)", "pass")),
        ),
        ("test_second_factor.py::test_a_half_finished_sign_in_dies_with_every_change_of_the_account",),
    ),
    Mutant(
        "9",
        "removing the phone drops the code that waits",
        all_of(
            rewrite(
                f"{PHONE}.remove",
                ("await self._codes.drop(user, MfaKind.LOGIN, MfaKind.PHONE_SETUP)", "pass"),
            ),
            rewrite(f"{PHONE}.confirm", ("await self._codes.drop(user, MfaKind.LOGIN)", "pass")),
        ),
        ("test_second_factor.py::test_a_half_finished_sign_in_dies_with_every_change_of_the_account",),
    ),
    Mutant(
        "9",
        "a phone set-up carries the version of the account",
        rewrite(f"{PHONE}._redeem", ("or claims.ver != user.token_version", "")),
        (
            "test_second_factor.py::"
            "test_a_phone_set_up_is_not_finished_by_a_session_that_came_after_the_change",
        ),
    ),
    Mutant(
        "9",
        "a change of the phone that lost its authority does not land",
        all_of(
            rewrite(f"{PHONE}.confirm", (", token_version=user.token_version", "")),
            rewrite(f"{PHONE}.remove", (", token_version=user.token_version", "")),
        ),
        (
            "test_second_factor.py::"
            "test_a_change_of_the_phone_authorised_by_the_old_password_loses_against_a_reset",
        ),
    ),
    Mutant(
        "20",
        "errors of a transport are not quoted",
        rewrite("regstack.services.courier:_reason", (" if isinstance(error, DeliveryError) else name", "")),
        ("test_second_factor.py::test_a_transport_that_fails_is_logged_without_number_and_code",),
    ),
    Mutant(
        "3",
        "many accounts do not ring one phone",
        rewrite(
            "regstack.services.texted_codes:TextedCodes.send",
            ("await self._lockout.claim(SMS, number, signed_in=True)", "pass"),
        ),
        ("test_second_factor.py::test_many_accounts_do_not_ring_one_phone",),
    ),
]
