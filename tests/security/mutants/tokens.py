"""Access tokens (rows 8, 17) and what they are checked against (rows 1, 9)."""

from __future__ import annotations

from tests.security.mutant import Mutant, all_of, replace, rewrite

CHECK = "regstack.auth.tokens:JwtCodec.check"
HEADER = "regstack.auth.tokens:JwtCodec._kid_of"
SIGNATURE = "regstack.auth.tokens:JwtCodec._signature"
READ = "regstack.auth.tokens:JwtCodec._read"
RECOGNISE = "regstack.services.sessions:Sessions.recognise"
SESSION = "regstack.services.sessions:Sessions._session"
VECTORS = "test_token_confusion.py::test_every_fault_is_answered_by_one_identical_401"
DEAD = "test_token_confusion.py::test_a_dead_token_is_answered_as_a_forged_one"
ENDS = "test_stale_credentials.py::test_what_ends_sessions_ends_every_credential_on_every_worker"

MUTANTS = [
    Mutant(
        "17",
        "a token's signature is checked",
        rewrite(CHECK, ("if not hmac.compare_digest(expected, signature):", "if False:")),
        (VECTORS, "test_token_confusion.py::test_every_way_in_is_shut_to_a_faulty_token"),
    ),
    Mutant(
        "17",
        "only the configured algorithm is taken",
        all_of(
            rewrite(HEADER, ('"alg": self._algorithm', '"alg": fields["alg"]')),
            rewrite(SIGNATURE, ("_HASHES[self._algorithm]", '_HASHES[_decode(signed.split(".")[0])["alg"]]')),
        ),
        (VECTORS, "test_token_confusion.py::test_a_stronger_configured_algorithm_takes_no_weaker_one"),
    ),
    Mutant(
        "17",
        "header fields that a token does not need are refused",
        rewrite(HEADER, ("fields != {", "not fields.items() >= {"), ('"kid": kid}', '"kid": kid}.items()')),
        (VECTORS,),
    ),
    Mutant(
        "17",
        "a key is found by its id alone",
        rewrite(CHECK, ("self._keys[purpose, kid]", "next(iter(self._keys.values()))")),
        (VECTORS,),
    ),
    Mutant(
        "17",
        "a long token is refused unread",
        replace("regstack.auth.tokens:MAX_LENGTH", 10**9),
        (VECTORS,),
    ),
    Mutant(
        "17",
        "a token is not taken before it was issued",
        rewrite(READ, ("issued_at <= now < expires_at", "now < expires_at")),
        (VECTORS,),
    ),
    Mutant(
        "17",
        "a token is not taken after it has expired",
        rewrite(READ, ("issued_at <= now < expires_at", "issued_at <= now")),
        (VECTORS, DEAD),
    ),
    Mutant(
        "17",
        "times of a token are within reason",
        rewrite("regstack.auth.tokens:_moment", ("not 0 <= value < _LATEST", "not value < _LATEST")),
        (VECTORS,),
    ),
    Mutant(
        "17",
        "the version in a token is a whole number",
        rewrite(READ, ("type(ver) is int", "isinstance(ver, int)")),
        (VECTORS,),
    ),
    Mutant(
        "17",
        "the audience is the configured one",
        rewrite(READ, ('payload.get("aud") == self._audience', "True")),
        (VECTORS, "test_token_confusion.py::test_a_token_for_another_audience_is_refused"),
    ),
    Mutant(
        "17",
        "no answer says what is wrong with a token",
        rewrite(
            RECOGNISE, ("    raise InvalidToken\n", '    raise InvalidToken("this session was ended")\n')
        ),
        (VECTORS, DEAD),
    ),
    Mutant(
        "8",
        "every purpose has a key of its own",
        rewrite(
            "regstack.auth.keys:KeyRing.derive",
            (
                "_derive(self._roots[kid], purpose)",
                "_derive(self._roots[kid], 'jwt')",
            ),
        ),
        (VECTORS,),
    ),
    Mutant(
        "8",
        "a token says what it is for",
        rewrite(READ, ('payload["purpose"] == purpose', '"purpose" in payload')),
        (VECTORS,),
    ),
    Mutant(
        "9",
        "a token dies with the version that it was signed under",
        rewrite(SESSION, ("or user.token_version != claims.ver", "")),
        (
            ENDS,
            VECTORS,
            "test_stale_credentials.py::test_a_login_in_flight_during_a_reset_signs_a_dead_token",
        ),
    ),
    Mutant(
        "9",
        "a revoked token is refused",
        rewrite(RECOGNISE, ("or subject.revoked", "")),
        ("test_stale_credentials.py::test_a_logout_ends_one_session_on_every_worker", DEAD),
    ),
    Mutant(
        "9",
        "a session that is over is not ended again",
        rewrite("regstack.services.sessions:Sessions.end", ("or not was_good", "")),
        (
            "tests/http/test_main_job.py::"
            "test_of_logouts_at_once_one_ends_the_session_and_the_others_come_too_late",
        ),
    ),
    Mutant(
        "9",
        "a disabled account has no session",
        rewrite(SESSION, ("or not user.is_active", "")),
        ("test_stale_credentials.py::test_a_disabled_account_is_out_whatever_version_its_token_carries",),
    ),
    Mutant(
        "9",
        "an account that is not verified has no session where verification is required",
        rewrite(SESSION, ("or (self._require_verification and not user.is_verified)", "")),
        (
            "test_stale_credentials.py::"
            "test_a_session_of_an_unverified_account_ends_when_verification_is_required",
            DEAD,
        ),
    ),
    Mutant(
        "1",
        "the row of a session is the one that its token names",
        rewrite(SESSION, ("user.id != claims.sub ", "False ")),
        ("test_wrong_row.py::test_a_session_whose_row_is_another_account_s_is_refused",),
    ),
]
