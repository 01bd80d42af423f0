"""GitHub: plain OAuth 2, with the account's number as its identity."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from regstack.errors import OAuthDenied, OAuthRejected
from regstack.oauth.account import ExternalAccount
from tests.servers.lying_provider import ACCESS_TOKEN, LyingProvider
from tests.unit.oauth.flow import Flow

CODE = {"code": "a-code"}
USER, EMAILS, TOKEN = "/api/v3/user", "/api/v3/user/emails", "/login/oauth/access_token"


@pytest.fixture
def github(liar: LyingProvider, make_provider: Any) -> Flow:
    liar.answers = {
        TOKEN: liar.token,
        USER: {"id": 583231, "login": "octocat", "name": "The Octocat", "email": "public@example.com"},
        EMAILS: [
            {"email": "other@example.com", "primary": False, "verified": True},
            {"email": "cat@example.com", "primary": True, "verified": True},
        ],
    }
    return Flow(make_provider(kind="github", issuer=liar.issuer))


async def test_a_person_signs_in(github: Flow, liar: LyingProvider) -> None:
    assert await github.finish(CODE) == ExternalAccount(
        liar.issuer, "583231", "cat@example.com", True, "The Octocat"
    )
    sent = liar.asked(TOKEN)[0]
    assert sent.headers["accept"] == "application/json"
    assert sent.form["code_verifier"] == github.verifier
    assert sent.form["client_secret"] == "hush"
    assert liar.asked(USER)[0].headers["authorization"] == f"Bearer {ACCESS_TOKEN}"


async def test_the_request_carries_a_challenge(github: Flow, liar: LyingProvider) -> None:
    url = urlsplit(await github.url())
    query = dict(parse_qsl(url.query))
    assert url.path == "/login/oauth/authorize"
    assert query["code_challenge_method"] == "S256"
    assert query["scope"] == "read:user user:email"
    assert "nonce" not in query


async def test_the_public_service_is_where_it_is(make_provider: Any) -> None:
    provider = make_provider(kind="github")
    assert provider.label == "GitHub"
    assert (await Flow(provider).url()).startswith("https://github.com/login/oauth/authorize?")
    assert provider._api == "https://api.github.com"
    enterprise = make_provider(kind="github", issuer="https://a.ghe.com", api_url="https://api.a.ghe.com")
    assert enterprise._api == "https://api.a.ghe.com"


async def test_a_name_that_changes_hands_is_another_person(github: Flow, liar: LyingProvider) -> None:
    first = await github.finish(CODE)
    liar.answers[USER] = {"id": 999, "login": "octocat"}
    assert (await github.finish(CODE)).subject != first.subject


@pytest.mark.parametrize("number", [None, "583231", 0, -1, True, 1.5, 2**70, [583231]])
async def test_an_account_without_its_number_is_refused(
    github: Flow, liar: LyingProvider, number: Any
) -> None:
    liar.answers[USER] = {"id": number, "login": "octocat"}
    with pytest.raises(OAuthRejected) as caught:
        await github.finish(CODE)
    assert caught.value.reason == "user: without its number"


@pytest.mark.parametrize(
    ("emails", "email", "verified"),
    [
        ([], None, False),
        ([{"email": "a@example.com", "verified": True}], None, False),
        ([{"email": "a@example.com", "primary": True, "verified": False}], "a@example.com", False),
        ([{"email": "a@example.com", "primary": True, "verified": "true"}], "a@example.com", False),
        (["a@example.com", 7, None], None, False),
        ([{"email": "a\r\nb", "primary": True, "verified": True}], None, False),
    ],
)
async def test_only_the_primary_address_that_was_checked_is_verified(
    github: Flow, liar: LyingProvider, emails: list[Any], email: str | None, verified: bool
) -> None:
    liar.answers[EMAILS] = emails
    account = await github.finish(CODE)
    assert (account.email, account.email_verified) == (email, verified)


@pytest.mark.parametrize("answer", [{}, "text", None])
async def test_addresses_that_are_no_list_are_refused(github: Flow, liar: LyingProvider, answer: Any) -> None:
    liar.answers[EMAILS] = b"null" if answer is None else b'"text"' if answer == "text" else {}
    with pytest.raises(OAuthRejected):
        await github.finish(CODE)


async def test_an_error_with_status_200_is_an_error(github: Flow, liar: LyingProvider) -> None:
    liar.answers[TOKEN] = {"error": "bad_verification_code", "error_description": "evil\ntext"}
    with pytest.raises(OAuthRejected) as caught:
        await github.finish(CODE)
    assert caught.value.reason == "token endpoint: bad_verification_code (status 200)"


async def test_who_says_no_is_denied(github: Flow) -> None:
    with pytest.raises(OAuthDenied):
        await github.finish({"error": "access_denied"})


async def test_the_answer_of_another_provider_is_refused(github: Flow, liar: LyingProvider) -> None:
    with pytest.raises(OAuthRejected):
        await github.finish({**CODE, "iss": "https://elsewhere.example"})
    assert not liar.asked(TOKEN)
    assert await github.finish({**CODE, "iss": f"{liar.issuer}/login/oauth"})
