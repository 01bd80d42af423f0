"""A provider's description of itself, and the URL that the browser is sent to."""

from __future__ import annotations

import base64
import hashlib
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from regstack.config.urls import check_secure_url
from regstack.errors import OAuthDenied, OAuthError, OAuthRejected, OAuthUnavailable
from tests.servers.lying_provider import LyingProvider
from tests.servers.oidc import REDIRECT_URI
from tests.unit.oauth.flow import Flow

CODE = {"code": "a-code"}


async def refusal(flow: Flow) -> str:
    with pytest.raises(OAuthRejected) as caught:
        await flow.url()
    return caught.value.reason


async def test_the_url_carries_the_whole_request(flow: Flow, liar: LyingProvider) -> None:
    parts = urlsplit(await flow.url())
    challenge = base64.urlsafe_b64encode(hashlib.sha256(flow.verifier.encode()).digest()).rstrip(b"=")
    assert parts._replace(query="").geturl() == f"{liar.issuer}/authorize"
    assert dict(parse_qsl(parts.query)) == {
        "response_type": "code",
        "client_id": "client",
        "redirect_uri": REDIRECT_URI,
        "scope": "openid email profile",
        "state": flow.state,
        "nonce": flow.nonce,
        "code_challenge": challenge.decode(),
        "code_challenge_method": "S256",
    }


async def test_scopes_and_label_are_those_of_the_settings(liar: LyingProvider, make_provider: Any) -> None:
    provider = make_provider(issuer=liar.issuer, scopes="openid groups", label="Acme & Söhne")
    assert provider.label == "Acme & Söhne"
    assert "scope=openid+groups" in (await Flow(provider).url()).replace("%20", "+")
    assert make_provider(issuer=liar.issuer).label == "acme"


async def test_the_endpoints_own_query_is_kept(flow: Flow, liar: LyingProvider) -> None:
    liar.metadata["authorization_endpoint"] += "?realm=staff"
    query = dict(parse_qsl(urlsplit(await flow.url()).query))
    assert query["realm"] == "staff"
    assert query["state"] == flow.state


@pytest.mark.parametrize("verifier", ["short", "x" * 129, "ü" * 50, "a b" * 20])
async def test_a_weak_verifier_is_a_mistake_of_the_caller(flow: Flow, verifier: str) -> None:
    flow.verifier = verifier
    with pytest.raises(ValueError, match="7636"):
        await flow.url()


@pytest.mark.parametrize("issuer", [None, 7, "", "https://elsewhere.example", "slash", "case"])
async def test_a_document_of_another_issuer_is_refused(flow: Flow, liar: LyingProvider, issuer: Any) -> None:
    others = {"slash": f"{liar.issuer}/", "case": liar.issuer.replace("http", "HTTP")}
    liar.metadata["issuer"] = others.get(issuer, issuer)
    assert "another issuer" in await refusal(flow)


BAD_URLS = [
    None,
    7,
    "",
    "/authorize",
    "//evil.example/a",
    "http://evil.example/a",
    "http://127.0.0.1.evil.example/a",
    "http://127.0.0.1@evil.example/a",
    "http://2130706433.example/a",
    "https://user:pass@evil.example/a",
    "https://evil.example/a#b",
    "https://evil.example\\@good.example/a",
    "https://evil.example/a\r\nX: 1",
    "https://evil.example/a b",
    "https://exämple.com/a",
    "https://",
    "https://[::1",
    "https://a:port/",
    "javascript:alert(1)",
    "data:text/html,hello",
    "ftp://evil.example/a",
]


@pytest.mark.parametrize(
    "name", ["authorization_endpoint", "token_endpoint", "jwks_uri", "userinfo_endpoint"]
)
@pytest.mark.parametrize("url", BAD_URLS, ids=repr)
async def test_an_endpoint_where_no_secret_may_go_is_refused(
    flow: Flow, liar: LyingProvider, name: str, url: Any
) -> None:
    liar.metadata[name] = url
    if name == "userinfo_endpoint" and not url:
        await flow.url()
    else:
        assert name in await refusal(flow)


@pytest.mark.parametrize(
    "url",
    [
        "https://a.example",
        "https://a.example:8443/x/",
        "http://localhost:1/x",
        "http://[::1]:5/",
        "http://127.9.9.9",
    ],
)
def test_https_and_this_machine_are_where_secrets_may_go(url: str) -> None:
    assert check_secure_url(url) == url


async def test_a_provider_elsewhere_cannot_send_secrets_to_this_machine(liar: LyingProvider) -> None:
    from regstack.oauth.metadata import fetch_metadata

    class Elsewhere:
        async def get(self, what: str, url: str) -> dict[str, Any]:
            return liar.metadata | {"issuer": "https://a.example"}

    with pytest.raises(OAuthRejected) as caught:
        await fetch_metadata(Elsewhere(), "https://a.example", "https://a.example")  # type: ignore[arg-type]
    assert "leads to this machine" in caught.value.reason


ERRORS = [
    ("access_denied", OAuthDenied, "callback: access_denied"),
    ("login_required", OAuthDenied, "callback: login_required"),
    ("user_cancelled_authorize", OAuthDenied, "callback: user_cancelled_authorize"),
    ("server_error", OAuthUnavailable, "callback: server_error"),
    ("temporarily_unavailable", OAuthUnavailable, "callback: temporarily_unavailable"),
    ("<script>\r\nINFO all is well", OAuthDenied, "callback: an unknown error"),
    ("", OAuthDenied, "callback: an unknown error"),
    ("x" * 100, OAuthDenied, "callback: an unknown error"),
]


@pytest.mark.parametrize(("error", "kind", "reason"), ERRORS, ids=[error[:20] for error, _, _ in ERRORS])
async def test_an_error_of_the_callback_is_told_by_name_alone(
    flow: Flow, liar: LyingProvider, error: str, kind: type[OAuthError], reason: str
) -> None:
    with pytest.raises(kind) as caught:
        await flow.finish({"error": error, "error_description": "evil\ntext", "code": "a-code"})
    assert caught.value.reason == reason
    assert not liar.asked("/token")


@pytest.mark.parametrize("code", [None, "", "x" * 5000, "a\r\nb", "é"])
async def test_a_callback_without_a_code_is_refused(
    flow: Flow, liar: LyingProvider, code: str | None
) -> None:
    with pytest.raises(OAuthRejected) as caught:
        await flow.finish({} if code is None else {"code": code})
    assert caught.value.reason == "callback: no code"
    assert not liar.asked("/token")


@pytest.mark.parametrize("issuer", ["https://elsewhere.example", "", "slash"])
async def test_the_answer_of_another_provider_is_refused_before_its_code_goes_anywhere(
    flow: Flow, liar: LyingProvider, issuer: str
) -> None:
    named = f"{liar.issuer}/" if issuer == "slash" else issuer
    for params in (CODE, {"error": "access_denied"}):
        with pytest.raises(OAuthRejected) as caught:
            await flow.finish({**params, "iss": named})
        assert "RFC 9207" in caught.value.reason
    assert not liar.asked("/token")


async def test_an_issuer_that_was_promised_must_come(flow: Flow, liar: LyingProvider) -> None:
    liar.metadata["authorization_response_iss_parameter_supported"] = True
    with pytest.raises(OAuthRejected):
        await flow.finish(CODE)
    assert not liar.asked("/token")
    assert (await flow.finish({**CODE, "iss": liar.issuer})).subject == "alice"
