"""Limits (rows 10, 11), a lockout that is no weapon (row 3), and records without secrets (row 20)."""

from __future__ import annotations

from tests.security.mutant import Mutant, all_of, replace, rewrite

LIMITS = "test_limits.py::test_"
CLAIM_FOR = "regstack.services.throttle:Throttle.claim_for"

MUTANTS = [
    Mutant(
        "10",
        "an address is that of the connection, or what one's own proxies wrote",
        rewrite(
            "regstack.auth.addresses:client_address",
            (
                "entries[-trusted_proxies] if 0 < trusted_proxies <= len(entries) else peer",
                "entries[0] if entries else peer",
            ),
        ),
        (
            LIMITS + "a_written_x_forwarded_for_gives_no_new_count",
            LIMITS + "behind_proxies_the_entry_that_they_wrote_counts_and_none_before_it",
        ),
    ),
    Mutant(
        "10",
        "an IPv6 line is one network",
        replace("regstack.auth.addresses:IPV6_PREFIX", 128),
        (LIMITS + "all_addresses_of_one_ipv6_line_share_a_count",),
    ),
    Mutant(
        "10",
        "an IPv4 address behind IPv6 is itself",
        rewrite("regstack.auth.addresses:_parse", ("address.ipv4_mapped or address", "address")),
        (LIMITS + "an_ipv4_address_behind_ipv6_is_itself",),
    ),
    Mutant(
        "10",
        "an account is counted over all networks",
        rewrite("regstack.services.limits:Limits.claim", ("if account is not None:", "if False:")),
        (
            LIMITS + "one_account_is_counted_over_all_addresses",
            LIMITS + "an_address_that_is_spelt_otherwise_is_the_same_account",
        ),
    ),
    Mutant(
        "11",
        "the limit of a use case stands in its service",
        rewrite(
            "regstack.services.passwords:Passwords.forgot",
            ('await self._limits.claim("forgot_password", key)', "pass"),
        ),
        (
            LIMITS + "no_spelling_of_the_path_passes_the_limit",
            LIMITS + "many_calls_at_once_pass_no_more_often_than_the_limit",
            LIMITS + "every_limit_of_the_settings_is_kept",
        ),
    ),
    Mutant(
        "3",
        "a place of the owner's has a count of its own",
        rewrite(CLAIM_FOR, ("return decision if place is None else", "return decision if True else")),
        (
            LIMITS + "an_attacker_elsewhere_locks_no_owner_out",
            LIMITS + "the_owner_is_known_again_by_the_network_without_cookies",
        ),
    ),
    Mutant(
        "3",
        "a place of the owner's has a limit too",
        rewrite(CLAIM_FOR, ('{account}:{place}", rule)', '{account}:{place}", Rule(10**9, rule.window))')),
        (LIMITS + "a_known_place_has_a_limit_too",),
    ),
    Mutant(
        "3",
        "a place of one owner's is nothing to another account",
        all_of(
            *(
                rewrite(
                    f"regstack.services.throttle:Throttle.{name}",
                    ("place:{owner}:{place}", "place:{place}"),
                )
                for name in ("remember_place", "_known_place")
            )
        ),
        (LIMITS + "a_place_known_for_one_account_is_a_stranger_to_all_others",),
    ),
    Mutant(
        "3",
        "a place ends with the password and the phone that were used from it",
        replace("regstack.services.throttle:_owner", lambda user: user.id),
        (
            LIMITS + "whoever_was_in_the_account_is_a_stranger_after_a_reset",
            LIMITS + "a_change_of_the_password_keeps_the_place_that_it_was_made_from",
        ),
    ),
    Mutant(
        "3",
        "a sign-in of the owner gives an attacker no new guesses",
        rewrite("regstack.services.throttle:Throttle.forget", ("at_most=rule.limit", "at_most=None")),
        (LIMITS + "the_owner_s_sign_ins_give_an_attacker_no_new_guesses",),
    ),
    Mutant(
        "10",
        "a proxy that is not counted makes nobody known",
        rewrite(
            "regstack.routers.callers:Callers.__init__",
            ("not config.behind_proxy or config.trusted_proxy_count > 0", "True"),
        ),
        (LIMITS + "behind_an_uncounted_proxy_nobody_is_known_by_its_address",),
    ),
    Mutant(
        "10",
        "what a network is refused uses up nothing of an account",
        rewrite(
            "regstack.services.limits:Limits.claim",
            (
                "        self._require(name, account, decisions)\n    if account",
                "    if account",
            ),
        ),
        (LIMITS + "what_a_network_is_refused_uses_up_nothing_of_an_account",),
    ),
    Mutant(
        "15",
        "a locked address takes the same reads whether or not it has an account",
        rewrite(
            "regstack.services.throttle:Throttle._known_place",
            (
                "owner = _owner(user) if user is not None else account",
                "owner = _owner(user) if user is not None else places.clear() or account",
            ),
        ),
        (
            "test_enumeration.py::test_an_address_that_is_locked_takes_the_same_work_"
            "whether_or_not_it_has_an_account",
        ),
    ),
    Mutant(
        "20",
        "a record knows an address by its fingerprint",
        rewrite("regstack.services.audit:Audit.record", ('self._keys.fingerprint("audit", key)[:16]', "key")),
        ("test_audit.py::test_no_record_holds_an_address_or_what_somebody_typed",),
    ),
    Mutant(
        "20",
        "a session token does not show itself",
        replace(
            "regstack.auth.tokens:SignedToken.__repr__",
            lambda signed: f"SignedToken(text={signed.text!r})",
        ),
        ("tests/unit/auth/test_tokens.py::test_a_token_says_what_was_signed",),
    ),
]
