"""Social sign-in (rows 2, 6, 7, 9, 13), and who gets an account that somebody else made (row 5)."""

from __future__ import annotations

from tests.security.mutant import Mutant, replace, rewrite

SOCIAL = "test_social_sign_in.py::test_"
ACCOUNT_TESTS = "test_social_accounts.py::test_"
HIJACK = "test_pre_hijacking.py::test_"
FLOW = "regstack.services.oauth_flow:OAuthFlow."
ACCOUNTS = "regstack.services.oauth_accounts:OAuthAccounts."
HAND_OVER = "regstack.testing.memory.users:MemoryUsers.hand_over"
THIS = "self._store.users.get(user_id)"
CHECK_CLAIMS = "regstack.oauth.id_token:IdTokenChecker._check_claims"
WRONG_CLAIMS = "tests/unit/oauth/test_id_token.py::test_a_token_with_wrong_claims_is_refused"
SQUATTER_TESTS = "test_squatters.py::test_"
SQUATTER = SQUATTER_TESTS + "all_ways_of_a_squatter_into_an_account_end_when_the_owner_comes"
FINISHED = ACCOUNT_TESTS + "a_finished_answer_dies_with_what_it_stands_for"

MUTANTS = [
    Mutant(
        "6",
        "a sign-in ends in the browser that began it",
        rewrite(
            "regstack.services.oauth_exchange:began",
            ("browser is not None and hmac.compare_digest(hash_token(browser), row.browser_hash)", "True"),
        ),
        (
            SOCIAL + "an_answer_is_taken_from_the_browser_that_began_and_from_no_other",
            SOCIAL + "an_exchange_id_is_taken_from_the_browser_that_began_and_from_no_other",
            ACCOUNT_TESTS + "a_link_is_finished_by_the_browser_that_began_and_by_no_other",
        ),
    ),
    Mutant(
        "6",
        "an answer belongs to the provider that was asked",
        rewrite(FLOW + "_own_run", ("if row.provider != provider:", "if False:")),
        (SOCIAL + "an_answer_of_one_provider_is_not_taken_at_the_callback_of_another",),
    ),
    Mutant(
        "6",
        "an answer names its own provider's issuer",
        replace("regstack.oauth.oidc:OidcProvider._is_own_issuer", lambda provider, issuer: True),
        (
            "tests/unit/oauth/test_metadata.py::"
            "test_the_answer_of_another_provider_is_refused_before_its_code_goes_anywhere",
        ),
    ),
    Mutant(
        "6",
        "a provider's description is its own",
        rewrite(
            "regstack.oauth.metadata:fetch_metadata", ('if document.get("issuer") != issuer:', "if False:")
        ),
        ("tests/unit/oauth/test_metadata.py::test_a_document_of_another_issuer_is_refused",),
    ),
    *(
        Mutant(
            "6",
            f"an ID token is refused for another {part}",
            rewrite(
                f"regstack.oauth.id_token:IdTokenChecker.{function}",
                (f'raise OAuthRejected("ID token: another {part}")', "pass"),
            ),
            (WRONG_CLAIMS,),
        )
        for part, function in (
            ("nonce", "_check_claims"),
            ("issuer", "_check_claims"),
            ("audience", "_check_audience"),
        )
    ),
    Mutant(
        "2",
        "a state is good for one answer",
        rewrite(FLOW + "finish", ("if not turn.allowed:", "if False:")),
        (SOCIAL + "a_state_is_good_for_one_answer_whatever_that_was",),
    ),
    Mutant(
        "2",
        "an exchange id is used up",
        rewrite(
            "regstack.services.oauth_exchange:OAuthExchange.redeem",
            (
                "row = await self._states.consume(hash_token(exchange_id), self._clock.now())",
                "row = next((each for each in self._states._store.states.values()"
                " if each.result_hash == hash_token(exchange_id)), None)",
            ),
        ),
        (SOCIAL + "an_exchange_id_is_good_once_and_for_seconds",),
    ),
    Mutant(
        "7",
        "a person is issuer and subject together",
        rewrite(
            "regstack.testing.memory.oauth:MemoryOAuthIdentities.find_by_subject",
            ("(identity.issuer, identity.subject) == (issuer, subject)", "identity.subject == subject"),
        ),
        (ACCOUNT_TESTS + "the_same_subject_of_another_issuer_is_somebody_else",),
    ),
    Mutant(
        "5",
        "an address that has an account is not opened by another way in",
        rewrite(ACCOUNTS + "_enter_first", ("if not self._auto_link:", "if False:")),
        (
            ACCOUNT_TESTS + "an_address_that_has_an_account_is_not_opened_unless_that_is_set",
            ACCOUNT_TESTS + "whoever_gets_an_address_at_the_provider_does_not_get_the_account",
        ),
    ),
    Mutant(
        "5",
        "an address counts where the provider vouches for it",
        rewrite(
            "regstack.services.oauth_accounts:_vouched_address",
            (" or external.email_verified is not True", ""),
        ),
        (ACCOUNT_TESTS + "an_address_that_nobody_vouches_for_opens_nothing_and_tells_nothing",),
    ),
    Mutant(
        "5",
        "a squatter's password and sessions end when the owner comes",
        rewrite(
            ACCOUNTS + "_hand_over",
            (
                "self._users.hand_over(squatted.id, token_version=squatted.token_version)",
                "self._users.set_flags(squatted.id, is_verified=True)",
            ),
        ),
        (SQUATTER,),
    ),
    Mutant(
        "5",
        "a squatter's other ways in end when the owner comes",
        rewrite(
            HAND_OVER, ("drop_where(self._store.identities, lambda row: row.user_id == user_id)", "pass")
        ),
        (SQUATTER,),
    ),
    Mutant(
        "5",
        "a squatter's phone is gone when the owner comes",
        rewrite(HAND_OVER, ("phone_number=None,", "")),
        (SQUATTER,),
    ),
    Mutant(
        "5",
        "an account is handed over once",
        rewrite(HAND_OVER, ("or user.is_verified", ""), ("self._at_version(user_id, token_version)", THIS)),
        (SQUATTER_TESTS + "who_saw_the_account_before_it_was_handed_over_does_not_take_it_again",),
    ),
    Mutant(
        "5",
        "a pending registration is gone when the owner comes",
        rewrite(ACCOUNTS + "_register", ("await self._pending.delete_by_email(address.key)", "pass")),
        (SQUATTER_TESTS + "a_pending_registration_dies_when_the_owner_comes",),
    ),
    Mutant(
        "5",
        "an account with an unconfirmed address links nothing",
        rewrite(FLOW + "start_link", ("if not session.user.is_verified:", "if False:")),
        (SQUATTER_TESTS + "a_squatter_cannot_link_an_identity_that_would_outlive_a_reset",),
    ),
    Mutant(
        "5",
        "who confirms a registration knows its password, if one is sent",
        rewrite(
            "regstack.services.registration:Registration.verify",
            ("if self._confirmation.is_due(password):", "if False:"),
        ),
        (
            HIJACK + "who_confirms_with_the_password_of_another_confirms_nothing",
            HIJACK + "without_the_password_nothing_is_confirmed_where_it_is_required",
        ),
    ),
    Mutant(
        "5",
        "who confirms a new address knows the password of the account, if one is sent",
        rewrite(
            "regstack.services.email_change:EmailChange.confirm",
            ("if self._confirmation.is_due(password):", "if False:"),
        ),
        (
            HIJACK + "nobody_moves_an_account_of_their_own_to_an_address_whose_owner_confirms",
            HIJACK + "without_the_password_no_address_is_confirmed_where_it_is_required",
        ),
    ),
    Mutant(
        "5",
        "a mailed token is no way to guess a password",
        rewrite(
            "regstack.services.confirmation:Confirmation.check",
            ("await self._lockout.claim(CONFIRMATION, hash_token(token), signed_in=True)", "pass"),
        ),
        (
            HIJACK + "a_mailed_token_is_no_way_to_guess_the_password",
            HIJACK + "the_token_of_a_new_address_is_no_way_to_guess_the_password",
        ),
    ),
    Mutant(
        "5",
        "strangers use up no guess of who confirms",
        rewrite(
            "regstack.services.confirmation:Confirmation.check",
            ("claim(CONFIRMATION, hash_token(token), signed_in=True)", 'claim("login", giver.email_key)'),
        ),
        (
            HIJACK + "wrong_passwords_of_strangers_stop_no_confirmation",
            HIJACK + "wrong_passwords_of_strangers_stop_no_change_of_address",
        ),
    ),
    Mutant(
        "5",
        "an id in a token that nobody mailed opens no guessing",
        rewrite(
            "regstack.auth.sealed_tokens:SealedTokens.user_id",
            ("if genuine else None", ""),
        ),
        (HIJACK + "a_token_of_ones_own_making_is_no_way_to_guess_a_password",),
    ),
    Mutant(
        "9",
        "a link ends with the session that began it",
        rewrite(FLOW + "_conclude", (" or await self._blacklist.is_revoked(jti)", "")),
        (ACCOUNT_TESTS + "a_link_is_not_finished_after_the_session_that_began_it",),
    ),
    Mutant(
        "9",
        "a link that a change overtakes does not land",
        rewrite(ACCOUNTS + "_link", (", token_version=user.token_version", "")),
        (
            ACCOUNT_TESTS + "a_link_that_a_password_change_overtakes_does_not_land",
            SQUATTER_TESTS + "a_link_that_a_squatter_began_does_not_land_after_the_owner_came",
        ),
    ),
    Mutant(
        "9",
        "an unlink that a change overtakes takes nothing",
        rewrite(ACCOUNTS + "_unlink", (", token_version=user.token_version", "")),
        (SQUATTER_TESTS + "an_unlink_that_a_squatter_began_takes_nothing_from_the_owner",),
    ),
    Mutant(
        "9",
        "a finished answer dies with the version that it was given for",
        rewrite(
            "regstack.services.oauth_exchange:OAuthExchange.redeem",
            (" or user.token_version != row.result_token_version", ""),
        ),
        (FINISHED,),
    ),
    Mutant(
        "9",
        "a finished answer dies with its identity",
        rewrite(
            "regstack.services.oauth_exchange:OAuthExchange.redeem",
            (
                "if parts[1] not in {identity.id for identity in linked}:",
                "if False:",
            ),
        ),
        (FINISHED,),
    ),
    Mutant(
        "13",
        "social sign-in leads to a path of this site",
        rewrite(FLOW + "_depart", ("redirect_to=local_path(redirect_to)", "redirect_to=redirect_to")),
        (SOCIAL + "no_sign_in_or_link_leads_to_another_site",),
    ),
    Mutant(
        "5",
        "a stolen session links nothing",
        rewrite(FLOW + "start_link", ("raise SignInTooOld", "pass")),
        (ACCOUNT_TESTS + "a_stolen_session_links_nothing",),
    ),
    Mutant(
        "14",
        "the mailbox that is vouched for is the account's own",
        replace("regstack.services.oauth_accounts:_is_same_mailbox", lambda *_: True),
        (ACCOUNT_TESTS + "a_look_alike_of_an_address_opens_no_account",),
    ),
]
