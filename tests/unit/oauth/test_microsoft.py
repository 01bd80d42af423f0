"""Microsoft: one document for many tenants, and addresses that prove nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from regstack.errors import OAuthRejected
from regstack.oauth.microsoft import PERSONAL_ACCOUNTS
from tests.servers.lying_provider import RSA, LyingProvider, public
from tests.unit.oauth.flow import Flow

CODE = {"code": "a-code"}
OURS, THEIRS = "11111111-2222-3333-4444-555555555555", "99999999-8888-7777-6666-555555555555"


@pytest.fixture
def tenant(liar: LyingProvider, make_provider: Any) -> Callable[..., Flow]:
    """Begins a sign-in with a `tenant` setting, whose token comes from another tenant's person."""

    def begin(setting: str, tid: Any, issuer: str | None = None, **settings: Any) -> Flow:
        named = {"common": "{tenantid}", "organizations": "{tenantid}", "consumers": PERSONAL_ACCOUNTS}
        liar.metadata["issuer"] = f"{liar.issuer}/{named.get(setting, setting)}/v2.0"
        liar.answers[f"/{setting}/v2.0/.well-known/openid-configuration"] = liar.metadata
        flow = Flow(make_provider(kind="microsoft", issuer=liar.issuer, tenant=setting, **settings))
        liar.nonce = flow.nonce
        liar.claims = {"tid": tid, "iss": f"{liar.issuer}/{issuer or tid}/v2.0"}
        return flow

    return begin


@pytest.mark.parametrize(
    ("setting", "tid"),
    [
        ("common", THEIRS),
        ("common", PERSONAL_ACCOUNTS),
        ("organizations", THEIRS),
        ("consumers", PERSONAL_ACCOUNTS),
        (OURS, OURS),
    ],
)
async def test_the_issuer_is_the_persons_own_tenant(
    tenant: Any, liar: LyingProvider, setting: str, tid: str
) -> None:
    account = await tenant(setting, tid).finish(CODE)
    assert (account.issuer, account.subject) == (f"{liar.issuer}/{tid}/v2.0", "alice")


@pytest.mark.parametrize(
    ("setting", "tid"),
    [
        (OURS, THEIRS),
        (OURS, PERSONAL_ACCOUNTS),
        ("organizations", PERSONAL_ACCOUNTS),
        ("consumers", THEIRS),
        ("common", "{tenantid}"),
        ("common", "common"),
        ("common", f"{THEIRS}/../{OURS}"),
        ("common", THEIRS.replace("9", "A")),
        ("common", ""),
        ("common", None),
        ("common", 7),
    ],
)
async def test_a_person_of_a_tenant_that_is_not_let_in_is_refused(
    tenant: Any, setting: str, tid: Any
) -> None:
    with pytest.raises(OAuthRejected) as caught:
        await tenant(setting, tid).finish(CODE)
    assert caught.value.reason == "ID token: of another tenant"


async def test_a_tenant_that_does_not_match_the_issuer_is_refused(tenant: Any) -> None:
    with pytest.raises(OAuthRejected) as caught:
        await tenant("common", THEIRS, issuer=OURS).finish(CODE)
    assert caught.value.reason == "ID token: another issuer"


async def test_a_key_of_one_tenant_does_not_sign_for_another(tenant: Any, liar: LyingProvider) -> None:
    flow = tenant("common", OURS)
    liar.published = [public(RSA, "one", issuer=f"{liar.issuer}/{THEIRS}/v2.0")]
    with pytest.raises(OAuthRejected) as caught:
        await flow.finish(CODE)
    assert caught.value.reason == "ID token: signed with another issuer's key"


async def test_a_key_for_all_tenants_signs_for_each(tenant: Any, liar: LyingProvider) -> None:
    flow = tenant("common", THEIRS)
    liar.published = [public(RSA, "one", issuer=f"{liar.issuer}/{{tenantid}}/v2.0")]
    assert (await flow.finish(CODE)).subject == "alice"


@pytest.mark.parametrize("setting", ["common", OURS])
async def test_an_address_is_never_verified_by_the_word_email_verified(
    tenant: Any, liar: LyingProvider, setting: str
) -> None:
    flow = tenant(setting, OURS)
    liar.claims |= {"email": "victim@example.com", "email_verified": True}
    account = await flow.finish(CODE)
    assert (account.email, account.email_verified) == ("victim@example.com", False)


@pytest.mark.parametrize("value", [True, 1, "1", "true", "True"])
async def test_an_address_is_verified_where_the_domains_owner_is(
    tenant: Any, liar: LyingProvider, value: Any
) -> None:
    flow = tenant("common", OURS)
    liar.claims |= {"xms_edov": value}
    assert (await flow.finish(CODE)).email_verified is True


@pytest.mark.parametrize("value", [False, 0, "0", "false", "", None, [True], 2])
async def test_any_other_word_on_the_domain_verifies_nothing(
    tenant: Any, liar: LyingProvider, value: Any
) -> None:
    flow = tenant("common", OURS)
    liar.claims |= {"xms_edov": value}
    assert (await flow.finish(CODE)).email_verified is False


async def test_the_word_on_the_domain_is_not_for_an_address_from_elsewhere(
    tenant: Any, liar: LyingProvider
) -> None:
    flow = tenant("common", OURS)
    liar.claims |= {"email": None, "xms_edov": True}
    assert (await flow.finish(CODE)).email_verified is False


async def test_one_tenant_may_be_trusted_with_its_addresses(tenant: Any) -> None:
    assert (await tenant(OURS, OURS, trust_email=True).finish(CODE)).email_verified is True


async def test_the_answers_issuer_may_be_any_tenant_that_is_let_in(tenant: Any, liar: LyingProvider) -> None:
    flow = tenant("organizations", THEIRS)
    assert await flow.finish({**CODE, "iss": f"{liar.issuer}/{THEIRS}/v2.0"})
    for issuer in (
        f"{liar.issuer}/{PERSONAL_ACCOUNTS}/v2.0",
        f"{liar.issuer}/{{tenantid}}/v2.0",
        liar.issuer,
        f"{liar.issuer}/v2.0",
        "",
        f"https://evil.example/{THEIRS}/v2.0",
    ):
        with pytest.raises(OAuthRejected, match="failed"):
            await flow.finish({**CODE, "iss": issuer})
