"""Apple: a secret that is a signature, an answer by POST, a name told once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey

from regstack.auth.clock import FrozenClock
from regstack.errors import ConfigurationError
from regstack.oauth.apple import SECRET_SECONDS
from tests.servers.lying_provider import LyingProvider
from tests.unit.oauth.flow import Flow

CODE = {"code": "a-code"}
KEY = ECKey.generate_key("P-256")
PEM = KEY.as_pem(private=True).decode()
APPLE = {"kind": "apple", "client_secret": None, "team_id": "TEAM", "key_id": "KEY", "private_key": PEM}


@pytest.fixture
def apple(liar: LyingProvider, make_provider: Any) -> Flow:
    flow = Flow(make_provider(issuer=liar.issuer, **APPLE))
    liar.nonce = flow.nonce
    return flow


async def test_the_answer_is_asked_for_by_post(apple: Flow) -> None:
    query = dict(parse_qsl(urlsplit(await apple.url()).query))
    assert query["response_mode"] == "form_post"
    assert query["scope"] == "openid email name"


@pytest.mark.parametrize("text", [PEM, PEM.replace("\n", "\\n"), f"\n{PEM}\n\n"])
async def test_the_secret_is_signed_afresh_for_each_exchange(
    liar: LyingProvider, make_provider: Any, text: str
) -> None:
    clock = FrozenClock(datetime(2030, 1, 1, tzinfo=UTC))
    flow = Flow(make_provider(issuer=liar.issuer, clock=clock, **APPLE | {"private_key": text}))
    liar.nonce = flow.nonce
    for _ in range(2):
        now = int(clock.now().timestamp())
        liar.claims = {"exp": now + 60, "iat": now}
        await flow.finish(CODE)
        secret = jwt.decode(liar.asked("/token")[-1].form["client_secret"], KEY, algorithms=["ES256"])
        assert secret.header == {"alg": "ES256", "kid": "KEY", "typ": "JWT"}
        assert secret.claims == {
            "iss": "TEAM",
            "sub": "client",
            "aud": liar.issuer,
            "iat": now,
            "exp": now + SECRET_SECONDS,
        }
        clock.advance(timedelta(hours=1))


@pytest.mark.parametrize(
    "text",
    [
        "not a key",
        KEY.as_pem(private=False).decode(),
        RSAKey.generate_key(2048).as_pem(private=True).decode(),
        ECKey.generate_key("P-384").as_pem(private=True).decode(),
    ],
    ids=["text", "public", "RSA", "P-384"],
)
async def test_a_key_that_cannot_sign_is_told_at_start(make_provider: Any, text: str) -> None:
    with pytest.raises(ConfigurationError, match=r"oauth\.providers\.acme\.private_key") as caught:
        make_provider(**APPLE | {"private_key": text})
    assert text.strip() not in str(caught.value)


@pytest.mark.parametrize(
    ("value", "verified"),
    [("true", True), (True, True), ("false", False), (False, False), (None, False), (1, False)],
)
async def test_the_word_on_the_address_may_be_text(
    apple: Flow, liar: LyingProvider, value: Any, verified: bool
) -> None:
    liar.claims = {"email_verified": value}
    assert (await apple.finish(CODE)).email_verified is verified


@pytest.mark.parametrize(
    ("user", "name"),
    [
        ('{"name": {"firstName": "Alice", "lastName": "Adams"}, "email": "evil@example.com"}', "Alice Adams"),
        ('{"name": {"firstName": "Alice"}}', "Alice"),
        ('{"name": {"firstName": "A\\r\\nB", "lastName": 7}}', "A B"),
        ('{"name": "Alice"}', None),
        ('{"name": null}', None),
        ('{"name": {}, "name": {"firstName": "x"}}', None),
        ("[]", None),
        ("{", None),
        ("7", None),
        (" " * 5000, None),
        ("[" * 4000, None),
    ],
)
async def test_only_the_name_is_taken_from_the_browser(
    apple: Flow, liar: LyingProvider, user: str, name: str | None
) -> None:
    account = await apple.finish({**CODE, "user": user})
    assert account.full_name == name
    assert account.email == "alice@example.com"


async def test_without_the_browsers_word_there_is_no_name(apple: Flow) -> None:
    assert (await apple.finish(CODE)).full_name is None
