"""Whatever stands in a token, a key set or a description: it is taken or refused, and nothing breaks."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from regstack.auth.clock import SystemClock
from regstack.config.oauth import OAuthProviderConfig
from regstack.errors import OAuthError, OAuthRejected
from regstack.oauth.apple import _name_of
from regstack.oauth.github import GitHubProvider
from regstack.oauth.id_token import IdTokenChecker
from regstack.oauth.key_set import KeySet
from regstack.oauth.metadata import fetch_metadata
from regstack.oauth.microsoft import MicrosoftProvider
from regstack.oauth.strict_json import read_json
from tests.servers.lying_provider import RSA, public, rs256

TEXT = st.text(st.characters(), max_size=20)  # lone surrogates too
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=5,
)
GOOD = {
    "iss": "https://a.example",
    "aud": "client",
    "sub": "s",
    "nonce": "n",
    "iat": 1,
    "exp": 32_503_680_000,
}
CLAIMS = ("iss", "aud", "sub", "nonce", "iat", "exp", "nbf", "azp", "at_hash", "tid")


class Canned:
    """Answers every request with one value, in place of the network."""

    def __init__(self, answer: Any) -> None:
        self._answer = answer

    async def get(self, *_: Any) -> Any:
        return self._answer


def checker(keys: Any) -> IdTokenChecker:
    return IdTokenChecker(KeySet(Canned(keys)), SystemClock(), "client", lambda _: "https://a.example")  # type: ignore[arg-type]


async def check(token: Any, keys: Any) -> None:
    with suppress(OAuthRejected):
        await checker(keys).check(token, "https://a.example/keys", nonce="n", access_token="t")


KEYS = {"keys": [public(RSA, "one")]}


async def test_the_good_token_of_these_tests_is_taken() -> None:
    token = rs256(b'{"alg": "RS256"}', json.dumps(GOOD).encode(), RSA)
    assert await checker(KEYS).check(token, "https://a.example/keys", nonce="n", access_token="t") == GOOD


@given(st.dictionaries(st.sampled_from(CLAIMS), VALUES, min_size=1, max_size=3))
async def test_any_claims(changes: dict[str, Any]) -> None:
    await check(rs256(b'{"alg": "RS256"}', json.dumps(GOOD | changes).encode(), RSA), KEYS)


@given(st.dictionaries(st.sampled_from(("alg", "kid", "typ", "crit", "b64", "jwk", "jku", "zip")), VALUES))
async def test_any_header(changes: dict[str, Any]) -> None:
    header = json.dumps({"alg": "RS256"} | changes).encode()
    await check(rs256(header, json.dumps(GOOD).encode(), RSA), KEYS)


@given(st.binary(max_size=60), st.binary(max_size=60))
async def test_any_bytes_that_are_signed(header: bytes, payload: bytes) -> None:
    await check(rs256(header, payload, RSA), KEYS)
    await check(rs256(b'{"alg": "RS256"}', payload, RSA), KEYS)


@given(st.text(max_size=80) | st.from_regex(r"[\w=-]*\.[\w=-]*\.[\w=-]*", fullmatch=True) | VALUES)
async def test_any_text(text: Any) -> None:
    await check(text, KEYS)


MEMBERS = ("kty", "n", "e", "kid", "alg", "use", "key_ops", "crv", "x", "y", "issuer")
CHANGED = st.dictionaries(st.sampled_from(MEMBERS), VALUES, max_size=3).map(
    lambda some: public(RSA, "one") | some
)


@pytest.mark.filterwarnings("ignore::joserfc.errors.SecurityWarning")
@given(VALUES | st.fixed_dictionaries({"keys": VALUES | st.lists(CHANGED | VALUES, max_size=3)}))
async def test_any_keys(keys: Any) -> None:
    await check(rs256(b'{"alg": "RS256", "kid": "one"}', json.dumps(GOOD).encode(), RSA), keys)
    for alg in ("ES256", "EdDSA"):
        await check(rs256(json.dumps({"alg": alg}).encode(), b"{}", RSA), keys)


ENDPOINTS = ("authorization_endpoint", "token_endpoint", "jwks_uri", "userinfo_endpoint")
URLS = st.from_regex(r"https://[ -~]{0,20}", fullmatch=True)


@given(
    VALUES
    | st.dictionaries(st.sampled_from((*ENDPOINTS, "token_endpoint_auth_methods_supported")), VALUES | URLS)
)
async def test_any_description(document: Any) -> None:
    if isinstance(document, dict):
        document["issuer"] = "https://a.example"
    try:
        found = await fetch_metadata(Canned(document), "https://a.example", "https://a.example")  # type: ignore[arg-type]
    except OAuthRejected:
        return
    assert found.token_endpoint.startswith("https://")


@given(VALUES, VALUES)
async def test_any_user_and_addresses_of_github(user: Any, emails: Any) -> None:
    config = OAuthProviderConfig(kind="github", client_id="a", client_secret="b")
    for number in (user, {"id": 7, "name": user, "email": user}):
        provider = GitHubProvider("github", config, Canned(number))  # type: ignore[arg-type]
        try:
            found = await provider._ask("user", "t")
        except OAuthError:
            continue
        for listed in (emails, [{"primary": True, "verified": emails, "email": user}]):
            account = provider._account(found, listed if isinstance(listed, list) else [])
            assert account.email_verified in {True, False}
            assert len((account.full_name or "").splitlines()) <= 1


@given(VALUES)
def test_any_tenant_of_microsoft(tenant: Any) -> None:
    config = OAuthProviderConfig(kind="microsoft", client_id="a", client_secret="b", tenant="common")
    provider = MicrosoftProvider("microsoft", config, Canned(None), SystemClock())  # type: ignore[arg-type]
    with pytest.raises(OAuthRejected):
        provider._issuer_of({"tid": tenant})
    assert provider._says_verified({"xms_edov": tenant}) is (str(tenant).lower() in {"1", "true"})


@given(st.text(max_size=80) | VALUES.map(json.dumps) | VALUES.map(lambda value: json.dumps({"name": value})))
def test_any_user_of_apple(text: str) -> None:
    assert len((_name_of(text) or "").splitlines()) <= 1


@given(st.binary(max_size=80))
def test_any_json(octets: bytes) -> None:
    try:
        read_json(octets)
    except ValueError:
        return
    json.loads(octets)
