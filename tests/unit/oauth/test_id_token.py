"""ID tokens that must be refused, each by the check that is there for it."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from joserfc import jws
from joserfc.jwk import ECKey, OKPKey, RSAKey

from regstack.auth.clock import FrozenClock
from regstack.errors import OAuthRejected
from regstack.oauth.id_token import LEEWAY_SECONDS, MAX_LENGTH
from tests.servers.lying_provider import OTHER_RSA, RSA, LyingProvider, hs256, public, rs256, unsigned
from tests.unit.oauth.flow import Flow

CODE = {"code": "a-code"}
FAR = 32_503_680_000
"""The year 3000."""


async def refusal(flow: Flow, params: dict[str, str] | None = None) -> str:
    """Finish a sign-in that must fail, and give the reason that the log has."""
    with pytest.raises(OAuthRejected) as caught:
        await flow.finish(params or CODE)
    assert str(caught.value) == "the sign-in failed; try again"
    return caught.value.reason


async def test_a_good_token_is_taken(flow: Flow, liar: LyingProvider) -> None:
    account = await flow.finish(CODE)
    assert (account.issuer, account.subject, account.email_verified) == (liar.issuer, "alice", True)


CLAIMS = [
    ({"nonce": "another"}, "another nonce"),
    ({"nonce": None}, "another nonce"),
    ({"nonce": ["list"]}, "another nonce"),
    ({"nonce": "\ud800"}, "another nonce"),
    ({"iss": "https://elsewhere.example"}, "another issuer"),
    ({"iss": None}, "another issuer"),
    ({"aud": "another"}, "another audience"),
    ({"aud": "client "}, "another audience"),
    ({"aud": {"client": 1}}, "another audience"),
    ({"aud": []}, "another audience"),
    ({"aud": None}, "another audience"),
    ({"aud": ["client", "another"]}, "another party"),
    ({"aud": ["client", "another"], "azp": "another"}, "another party"),
    ({"azp": "another"}, "another party"),
    ({"exp": None}, "without its times"),
    ({"exp": "9999999999"}, "without its times"),
    ({"exp": True}, "without its times"),
    ({"iat": None}, "without its times"),
    ({"exp": 1}, "expired"),
    ({"exp": -1}, "expired"),
    ({"iat": FAR}, "issued in the future"),
    ({"nbf": FAR}, "not valid yet"),
    ({"nbf": "soon"}, "not valid yet"),
    ({"sub": None}, "without its subject"),
    ({"sub": ""}, "without its subject"),
    ({"sub": 7}, "without its subject"),
    ({"sub": "x" * 256}, "without its subject"),
    ({"sub": "a\0b"}, "without its subject"),
    ({"at_hash": "AAAAAAAAAAAAAAAAAAAAAA"}, "another access token"),
    ({"at_hash": 7}, "another access token"),
]


@pytest.mark.parametrize(("claims", "reason"), CLAIMS, ids=[str(claims)[:50] for claims, _ in CLAIMS])
async def test_a_token_with_wrong_claims_is_refused(
    flow: Flow, liar: LyingProvider, claims: dict[str, Any], reason: str
) -> None:
    liar.claims = claims
    assert (await refusal(flow)).endswith(reason)


@pytest.mark.parametrize("claims", [{"aud": ["client"]}, {"aud": ["client", "other"], "azp": "client"}])
async def test_a_token_for_this_client_among_others_is_taken(
    flow: Flow, liar: LyingProvider, claims: dict[str, Any]
) -> None:
    liar.claims = claims
    assert (await flow.finish(CODE)).subject == "alice"


@pytest.mark.parametrize("payload", [b"[]", b"7", b"", b"\xff", b"[" * 40_000, b'{"exp": NaN}'])
async def test_a_signed_payload_that_is_no_set_of_claims_is_refused(
    flow: Flow, liar: LyingProvider, payload: bytes
) -> None:
    liar.id_token = liar.signed(payload=payload)
    assert (await refusal(flow)).startswith("ID token: ")


async def test_a_time_without_end_is_no_time(flow: Flow, liar: LyingProvider) -> None:
    liar.claims = {"exp": None}
    liar.id_token = liar.signed(payload=payload_of(liar)[:-1] + b', "exp": 1e999}')
    assert await refusal(flow) == "ID token: without its times"


HEADERS = [
    ({"alg": "none"}, "an algorithm that is not accepted"),
    ({"alg": "RS1"}, "an algorithm that is not accepted"),
    ({"alg": ["RS256"]}, "an algorithm that is not accepted"),
    ({"alg": None}, "an algorithm that is not accepted"),
    ({"alg": "ES256"}, "no key of the provider fits its header"),
    ({"crit": ["exp"], "exp": 1}, "a header that is not understood"),
    ({"crit": []}, "a header that is not understood"),
    ({"typ": "at+jwt"}, "a token of another kind"),
    ({"typ": "logout+jwt"}, "a token of another kind"),
    ({"typ": 7}, "a token of another kind"),
    ({"kid": 7}, "bad form"),
    ({"kid": "unknown"}, "no key of the provider fits its header"),
]


@pytest.mark.parametrize(("header", "reason"), HEADERS, ids=[str(header) for header, _ in HEADERS])
async def test_a_token_with_a_wrong_header_is_refused(
    flow: Flow, liar: LyingProvider, header: dict[str, Any], reason: str
) -> None:
    liar.header = header
    assert await refusal(flow) == f"ID token: {reason}"


async def test_a_header_that_brings_its_own_key_is_of_no_use(flow: Flow, liar: LyingProvider) -> None:
    liar.key = OTHER_RSA
    liar.header = {"jwk": public(OTHER_RSA, "one"), "jku": f"{liar.issuer}/theirs", "x5u": "https://x"}
    assert await refusal(flow) == "ID token: bad signature or form"
    assert not liar.asked("/theirs")


def payload_of(liar: LyingProvider) -> bytes:
    return json.dumps(liar.all_claims()).encode()


async def test_a_token_without_a_signature_is_refused(flow: Flow, liar: LyingProvider) -> None:
    for alg in ("none", "None", "RS256"):
        header = json.dumps({"alg": alg, "kid": "one"}).encode()
        liar.id_token = unsigned(header, payload_of(liar))
        assert (await refusal(flow)).startswith("ID token: ")


@pytest.mark.parametrize("form", ["pem", "der", "n", "client secret"])
async def test_a_public_key_is_no_shared_secret(flow: Flow, liar: LyingProvider, form: str) -> None:
    secret = {
        "pem": RSA.as_pem(private=False),
        "der": RSA.as_der(private=False),
        "n": RSA.as_dict(private=False)["n"].encode(),
        "client secret": b"hush",
    }[form]
    liar.id_token = hs256(b'{"alg": "HS256", "kid": "one"}', payload_of(liar), secret)
    assert await refusal(flow) == "ID token: an algorithm that is not accepted"


async def test_a_shared_secret_among_the_keys_is_of_no_use(flow: Flow, liar: LyingProvider) -> None:
    liar.published = [{"kty": "oct", "k": "aHVzaA", "kid": "one"}]
    liar.id_token = hs256(b'{"alg": "HS256", "kid": "one"}', payload_of(liar), b"hush")
    assert await refusal(flow) == "ID token: an algorithm that is not accepted"


async def test_a_key_swapped_for_another_does_not_verify(flow: Flow, liar: LyingProvider) -> None:
    liar.published = [public(OTHER_RSA, "one")]
    assert await refusal(flow) == "ID token: bad signature or form"


async def test_a_changed_payload_does_not_verify(flow: Flow, liar: LyingProvider) -> None:
    header, _, signature = liar.signed().split(".")
    liar.claims = {"sub": "mallory"}
    liar.id_token = ".".join([header, liar.signed().split(".")[1], signature])
    assert await refusal(flow) == "ID token: bad signature or form"


@pytest.mark.parametrize(
    "member",
    [b'"sub": "mallory"', b'"nonce": "x"', b'"email_verified": false', b'"address": {"a": 1, "a": 2}'],
)
async def test_a_claim_that_is_there_twice_is_refused(flow: Flow, liar: LyingProvider, member: bytes) -> None:
    liar.id_token = liar.signed(payload=payload_of(liar)[:-1] + b", " + member + b"}")
    assert await refusal(flow) == "ID token: bad signature or form"


async def test_a_header_member_that_is_there_twice_is_refused(flow: Flow, liar: LyingProvider) -> None:
    liar.id_token = liar.signed(header=b'{"alg": "none", "alg": "RS256", "kid": "one"}')
    assert await refusal(flow) == "ID token: bad form"


@pytest.mark.parametrize(
    "token", ["", "a", "a.b", "a.b.c.d", "é.b.c", "..", "x" * (MAX_LENGTH + 1), "e30.e30.e30"]
)
async def test_text_that_is_no_token_is_refused(flow: Flow, liar: LyingProvider, token: str) -> None:
    liar.answers["/token"] = liar.token | {"id_token": token}
    assert (await refusal(flow)).startswith("ID token: ")


@pytest.mark.parametrize("token", [None, 7, {"a": 1}, ["x"]])
async def test_an_answer_without_a_token_is_refused(flow: Flow, liar: LyingProvider, token: Any) -> None:
    liar.answers["/token"] = liar.token | {"id_token": token}
    assert await refusal(flow) == "ID token: missing or too long"


async def test_a_token_without_a_kid_needs_a_single_key(flow: Flow, liar: LyingProvider) -> None:
    liar.header = {"kid": None}
    assert (await flow.finish(CODE)).subject == "alice"


async def test_a_token_without_a_kid_is_refused_where_two_keys_fit(flow: Flow, liar: LyingProvider) -> None:
    liar.header = {"kid": None}
    liar.published = [public(RSA, "one"), public(OTHER_RSA, "two")]
    assert await refusal(flow) == "ID token: more than one key of the provider fits its header"


async def test_two_keys_of_one_name_are_refused(flow: Flow, liar: LyingProvider) -> None:
    liar.published = [public(RSA, "one"), public(OTHER_RSA, "one")]
    assert await refusal(flow) == "ID token: more than one key of the provider fits its header"


UNFIT = [
    {"use": "enc"},
    {"alg": "RS512"},
    {"key_ops": ["encrypt"]},
    {"key_ops": "verify"},
    {"n": 7},
    {"n": "é"},
    {"kty": "EC"},
    {"kty": ["RSA"]},
]


@pytest.mark.parametrize("change", UNFIT, ids=str)
async def test_a_key_for_something_else_is_not_used(
    flow: Flow, liar: LyingProvider, change: dict[str, Any]
) -> None:
    liar.published = [public(RSA, "one") | change]
    assert await refusal(flow) == "ID token: no key of the provider fits its header"


@pytest.mark.filterwarnings("ignore::joserfc.errors.SecurityWarning")
async def test_a_key_that_is_too_short_is_not_used(flow: Flow, liar: LyingProvider) -> None:
    liar.key = RSAKey.generate_key(1024)
    liar.published = [public(liar.key, "one")]
    assert await refusal(flow) == "ID token: no key of the provider fits its header"


async def test_a_broken_key_is_told_and_harms_no_other(flow: Flow, liar: LyingProvider) -> None:
    broken = public(RSA, "two") | {"e": "AA"}
    liar.published = [broken, "no key", public(RSA, "one")]
    assert (await flow.finish(CODE)).subject == "alice"
    liar.header = {"kid": "two"}
    assert (await refusal(flow)).startswith("ID token: ")


SIGNATURES: list[tuple[str, Callable[[], Any]]] = [
    ("RS384", lambda: RSA),
    ("PS256", lambda: RSA),
    ("PS512", lambda: RSA),
    ("ES256", lambda: ECKey.generate_key("P-256")),
    ("ES384", lambda: ECKey.generate_key("P-384")),
    ("ES512", lambda: ECKey.generate_key("P-521")),
    ("Ed25519", lambda: OKPKey.generate_key("Ed25519")),
    ("EdDSA", lambda: OKPKey.generate_key("Ed25519")),
    ("EdDSA", lambda: OKPKey.generate_key("Ed448")),
]


def half_hash_of(alg: str, key: Any) -> str:
    """The `at_hash` of the access token, reckoned apart from the code under test."""
    import base64
    import hashlib

    name = {"RS384": "sha384", "PS512": "sha512", "ES384": "sha384", "ES512": "sha512"}.get(alg, "sha256")
    octets = b"an-access-token"
    if alg.startswith("Ed"):
        ed448 = key.curve_name == "Ed448"
        digest = hashlib.shake_256(octets).digest(114) if ed448 else hashlib.sha512(octets).digest()
    else:
        digest = hashlib.new(name, octets).digest()
    return base64.urlsafe_b64encode(digest[: len(digest) // 2]).rstrip(b"=").decode()


@pytest.mark.filterwarnings("ignore:EdDSA is deprecated")
@pytest.mark.parametrize(("alg", "make_key"), SIGNATURES, ids=[alg for alg, _ in SIGNATURES])
async def test_every_asymmetric_algorithm_is_taken_with_its_hash_of_the_access_token(
    flow: Flow, liar: LyingProvider, alg: str, make_key: Callable[[], Any]
) -> None:
    key = make_key()
    liar.published = [public(key, "one")]
    liar.claims = {"at_hash": half_hash_of(alg, key)}
    liar.id_token = jws.serialize_compact({"alg": alg, "kid": "one"}, payload_of(liar), key, algorithms=[alg])
    assert (await flow.finish(CODE)).subject == "alice"
    liar.claims = {"at_hash": half_hash_of(alg, key)[:-1]}
    liar.id_token = jws.serialize_compact({"alg": alg, "kid": "one"}, payload_of(liar), key, algorithms=[alg])
    assert await refusal(flow) == "ID token: made out for another access token"


@pytest.mark.parametrize(("claim", "moment"), [("exp", -1), ("iat", 1), ("nbf", 1)])
async def test_clocks_may_differ_by_a_minute_and_no_more(
    liar: LyingProvider, make_provider: Any, claim: str, moment: int
) -> None:
    now = datetime(2030, 1, 1, tzinfo=UTC)
    clock = FrozenClock(now)
    flow = Flow(make_provider(issuer=liar.issuer, clock=clock))
    liar.nonce = flow.nonce
    liar.claims = {"exp": now.timestamp() + 300, "iat": now.timestamp() - 300}
    inside = LEEWAY_SECONDS - 1 if claim == "exp" else LEEWAY_SECONDS
    liar.claims[claim] = (now + timedelta(seconds=moment * inside)).timestamp()
    assert (await flow.finish(CODE)).subject == "alice"
    outside = LEEWAY_SECONDS if claim == "exp" else LEEWAY_SECONDS + 1
    liar.claims[claim] = (now + timedelta(seconds=moment * outside)).timestamp()
    assert (await refusal(flow)).startswith("ID token: ")


async def test_a_key_published_for_another_issuer_does_not_sign_for_this_one(
    flow: Flow, liar: LyingProvider
) -> None:
    liar.published = [public(RSA, "one", issuer="https://elsewhere.example")]
    assert await refusal(flow) == "ID token: signed with another issuer's key"


def test_the_signature_of_these_tests_is_a_real_one() -> None:
    token = rs256(b'{"alg": "RS256"}', b"{}", RSA)
    assert jws.deserialize_compact(token, RSA, algorithms=["RS256"]).payload == b"{}"
