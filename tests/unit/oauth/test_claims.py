"""What becomes of a person's claims: address, word on the address, name."""

from __future__ import annotations

from typing import Any

import pytest

from regstack.errors import OAuthRejected
from tests.servers.lying_provider import ACCESS_TOKEN, LyingProvider
from tests.unit.oauth.flow import Flow

CODE = {"code": "a-code"}


@pytest.mark.parametrize("value", [False, None, "true", "True", 1, "1", ["true"], {"a": 1}])
async def test_only_true_says_that_an_address_is_verified(
    flow: Flow, liar: LyingProvider, value: Any
) -> None:
    liar.claims = {"email_verified": value}
    account = await flow.finish(CODE)
    assert (account.email, account.email_verified) == ("alice@example.com", False)


@pytest.mark.parametrize(
    "email", ["", 7, ["a@b.c"], "x" * 321, "a@b.c\r\nBcc: d@e.f", "a\0@b.c", " a@b.c", "a\u202e@b.c"]
)
async def test_an_address_that_is_no_line_of_text_is_none(
    flow: Flow, liar: LyingProvider, email: Any
) -> None:
    liar.claims = {"email": email}
    account = await flow.finish(CODE)
    assert (account.email, account.email_verified) == (None, False)


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("Ann\r\nBcc: x", "Ann Bcc: x"),
        ("", None),
        (" \t", None),
        (7, None),
        ("\ud800", None),
        ("x" * 999, "x" * 199 + "…"),
    ],
)
async def test_a_name_becomes_one_line(flow: Flow, liar: LyingProvider, name: Any, shown: str | None) -> None:
    liar.claims = {"name": name}
    assert (await flow.finish(CODE)).full_name == shown


@pytest.mark.parametrize(("trust", "said", "verified"), [(True, False, True), (False, True, False)])
async def test_the_settings_may_trust_all_addresses_or_none(
    liar: LyingProvider, make_provider: Any, trust: bool, said: bool, verified: bool
) -> None:
    flow = Flow(make_provider(issuer=liar.issuer, trust_email=trust))
    liar.nonce, liar.claims = flow.nonce, {"email_verified": said}
    assert (await flow.finish(CODE)).email_verified is verified
    liar.claims = {"email": ""}
    assert (await flow.finish(CODE)).email_verified is False


async def test_an_address_that_the_token_leaves_out_is_asked_for(flow: Flow, liar: LyingProvider) -> None:
    liar.claims = {"email": None, "email_verified": None, "name": None}
    liar.answers["/userinfo"] = {
        "sub": "alice",
        "email": "a@example.com",
        "email_verified": True,
        "name": "A",
        "iss": "https://elsewhere.example",
    }
    account = await flow.finish(CODE)
    assert account.issuer == liar.issuer
    assert (account.email, account.email_verified, account.full_name) == ("a@example.com", True, "A")
    assert liar.asked("/userinfo")[0].headers["authorization"] == f"Bearer {ACCESS_TOKEN}"


async def test_the_tokens_word_is_not_for_an_address_from_elsewhere(flow: Flow, liar: LyingProvider) -> None:
    liar.claims = {"email": None, "email_verified": True}
    liar.answers["/userinfo"] = {"sub": "alice", "email": "victim@example.com"}
    account = await flow.finish(CODE)
    assert (account.email, account.email_verified) == ("victim@example.com", False)


@pytest.mark.parametrize(
    "answer", [{"sub": "mallory", "email": "a@example.com"}, {"email": "a@example.com"}, []]
)
async def test_claims_of_another_person_are_refused(flow: Flow, liar: LyingProvider, answer: Any) -> None:
    liar.claims, liar.answers["/userinfo"] = {"email": None}, answer
    with pytest.raises(OAuthRejected) as caught:
        await flow.finish(CODE)
    assert caught.value.reason == "userinfo: of another person"


async def test_an_account_may_have_no_address(flow: Flow, liar: LyingProvider) -> None:
    del liar.metadata["userinfo_endpoint"]
    liar.claims = {"email": None}
    assert (await flow.finish(CODE)).email is None
