"""Answers that must be refused before anybody reads what they say, and requests that stay small."""

from __future__ import annotations

import asyncio
import base64
import gzip
import time
import traceback
from typing import Any

import pytest

from regstack.errors import OAuthError, OAuthRejected, OAuthUnavailable
from regstack.oauth.fetch import MAX_BYTES, Fetcher
from tests.servers.lying_provider import LyingProvider, Writer, head
from tests.unit.oauth.flow import Flow

CODE = {"code": "a-code"}
PATHS = ("/.well-known/openid-configuration", "/token", "/keys", "/userinfo")


@pytest.fixture(params=PATHS)
def path(request: pytest.FixtureRequest, liar: LyingProvider) -> str:
    """Each address that is asked during one sign-in."""
    liar.claims = {"email": None}
    return str(request.param)


async def refusal(flow: Flow, kind: type[OAuthError]) -> str:
    with pytest.raises(kind) as caught:
        await flow.finish(CODE)
    return caught.value.reason


async def test_everything_is_asked_where_nothing_lies(path: str, flow: Flow, liar: LyingProvider) -> None:
    await flow.finish(CODE)
    assert liar.asked(path)


async def test_a_body_that_never_ends_is_cut_off(path: str, flow: Flow, liar: LyingProvider) -> None:
    sent = 0

    async def flood(writer: Writer) -> None:
        nonlocal sent
        writer.write(head(200))
        while sent < 64 * MAX_BYTES:
            writer.write(b" " * 65536)
            sent += 65536
            await writer.drain()

    liar.answers[path] = flood
    assert f"more than {MAX_BYTES} bytes" in await refusal(flow, OAuthRejected)
    assert sent < 64 * MAX_BYTES


async def test_a_small_body_that_unpacks_to_a_huge_one_is_refused(
    path: str, flow: Flow, liar: LyingProvider
) -> None:
    bomb = gzip.compress(b" " * 50_000_000)

    async def explode(writer: Writer) -> None:
        writer.write(head(200, "Content-Encoding: gzip", f"Content-Length: {len(bomb)}") + bomb)

    liar.answers[path] = explode
    assert "compressed without being asked" in await refusal(flow, OAuthRejected)
    assert liar.asked(path)[0].headers["accept-encoding"] == "identity"


async def test_a_redirect_is_not_followed(path: str, flow: Flow, liar: LyingProvider) -> None:
    async def redirect(writer: Writer) -> None:
        writer.write(head(307, f"Location: {liar.issuer}/elsewhere", "Content-Length: 0"))

    liar.answers[path] = redirect
    assert "status 307" in await refusal(flow, OAuthRejected)
    assert not liar.asked("/elsewhere")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"\xff\xfe",
        b"\xef\xbb\xbf{}",
        b'{"a": 1, "a": 2}',
        b'{"a": NaN}',
        b"[" * 100_000,
        b"7",
        b"null",
        b"[]",
        b"9" * 5000,
        b'"text"',
    ],
)
async def test_an_answer_that_is_no_plain_json_object_is_refused(
    path: str, flow: Flow, liar: LyingProvider, body: bytes
) -> None:
    liar.answers[path] = body
    assert await refusal(flow, OAuthRejected)


@pytest.mark.parametrize("status", [500, 502, 503, 429])
async def test_a_fault_of_the_provider_is_told_as_one(
    path: str, flow: Flow, liar: LyingProvider, status: int
) -> None:
    liar.statuses[path] = status
    assert f"status {status}" in await refusal(flow, OAuthUnavailable)


@pytest.mark.parametrize("status", [201, 204, 206, 304, 401, 403, 404])
async def test_any_other_status_is_refused(path: str, flow: Flow, liar: LyingProvider, status: int) -> None:
    liar.statuses[path] = status
    assert f"status {status}" in await refusal(flow, OAuthRejected)


async def test_a_broken_answer_is_told_without_its_text(path: str, flow: Flow, liar: LyingProvider) -> None:
    async def break_off(writer: Writer) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nX-Evil\x00: injected\r\n\r\n")

    liar.answers[path] = break_off
    with pytest.raises(OAuthUnavailable) as caught:
        await flow.finish(CODE)
    assert "injected" not in "".join(traceback.format_exception(caught.value))


async def test_a_provider_that_is_not_there_is_unavailable(make_provider: Any) -> None:
    async with LyingProvider() as gone:
        pass
    with pytest.raises(OAuthUnavailable) as caught:
        await Flow(make_provider(issuer=gone.issuer)).url()
    assert caught.value.reason == "discovery: ConnectError"


async def test_an_answer_that_drips_in_is_given_up_at_the_deadline(liar: LyingProvider) -> None:
    async def drip(writer: Writer) -> None:
        writer.write(head(200))
        while True:
            writer.write(b" ")
            await writer.drain()
            await asyncio.sleep(0.01)

    liar.answers["/slow"] = drip
    began = time.monotonic()
    with pytest.raises(OAuthUnavailable) as caught:
        await Fetcher(deadline=0.2).get("keys", f"{liar.issuer}/slow")
    assert caught.value.reason == "keys: no answer within 0.2 seconds"
    assert time.monotonic() - began < 30


async def test_the_event_loop_goes_on_while_a_provider_is_asked(liar: LyingProvider) -> None:
    asked, gate = asyncio.Event(), asyncio.Event()

    async def wait(writer: Writer) -> None:
        asked.set()
        await gate.wait()
        writer.write(head(200) + b"{}")

    liar.answers["/slow"] = wait
    asking = asyncio.create_task(Fetcher().get("keys", f"{liar.issuer}/slow"))
    await asked.wait()
    assert not asking.done()
    gate.set()
    assert await asking == {}


TOKENS = [
    {"access_token": None},
    {"access_token": 7},
    {"access_token": ""},
    {"access_token": "a\r\nX-Evil: 1"},
    {"access_token": "a b"},
    {"access_token": "x" * 70_000},
    {"token_type": None},
    {"token_type": "mac"},
    {"error": None},
]


@pytest.mark.parametrize("change", TOKENS, ids=lambda change: str(change)[:40])
async def test_a_token_answer_that_breaks_the_standard_is_refused(
    flow: Flow, liar: LyingProvider, change: dict[str, Any]
) -> None:
    liar.token |= change
    assert (await refusal(flow, OAuthRejected)).startswith("token endpoint: ")


async def test_errors_of_the_token_endpoint_are_told_by_name_alone(flow: Flow, liar: LyingProvider) -> None:
    liar.statuses["/token"] = 400
    liar.answers["/token"] = {"error": "invalid_grant", "error_description": "evil\r\ntext"}
    assert await refusal(flow, OAuthRejected) == "token endpoint: invalid_grant (status 400)"
    for error in ("evil\r\nINFO all is well", "<script>", "x" * 1000, 7, ["a"], "Ünknown"):
        liar.answers["/token"] = {"error": error}
        assert await refusal(flow, OAuthRejected) == "token endpoint: an unknown error (status 400)"


async def test_what_is_sent_is_the_form_of_the_standard(liar: LyingProvider, make_provider: Any) -> None:
    flow = Flow(make_provider(issuer=liar.issuer, client_id="a:b c", client_secret="p+q%ü"))
    liar.nonce, liar.claims = flow.nonce, {"aud": "a:b c"}
    await flow.finish({"code": "c&d=e +"})
    sent = liar.asked("/token")[0]
    assert sent.method == "POST"
    assert sent.form == {
        "grant_type": "authorization_code",
        "code": "c&d=e +",
        "redirect_uri": "http://127.0.0.1:8000/callback",
        "code_verifier": flow.verifier,
    }
    assert sent.headers["authorization"] == "Basic " + base64.b64encode(b"a%3Ab+c:p%2Bq%25%C3%BC").decode()


async def test_the_way_to_prove_oneself_is_the_providers_or_the_settings(
    liar: LyingProvider, make_provider: Any
) -> None:
    offered = {"token_endpoint_auth_methods_supported": ["private_key_jwt", "client_secret_post"]}
    liar.metadata |= offered
    flow = Flow(make_provider(issuer=liar.issuer))
    liar.nonce = flow.nonce
    await flow.finish(CODE)
    assert liar.asked("/token")[0].form["client_secret"] == "hush"
    assert "authorization" not in liar.asked("/token")[0].headers

    flow = Flow(make_provider(issuer=liar.issuer, token_endpoint_auth_method="client_secret_basic"))
    liar.nonce = flow.nonce
    await flow.finish(CODE)
    assert "client_secret" not in liar.asked("/token")[1].form


async def test_no_secret_code_or_token_is_in_a_log_a_repr_or_an_error(
    liar: LyingProvider, make_provider: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    secret, code = "a-client-secret", "a-secret-code"
    flow = Flow(make_provider(issuer=liar.issuer, client_secret=secret))
    liar.nonce, liar.claims = flow.nonce, {"email": None}
    liar.token["access_token"] = "a-secret-token"
    await flow.finish({"code": code})
    texts = [repr(flow.provider), repr(vars(flow.provider))]
    for path in ("/userinfo", "/keys", "/token", "/.well-known/openid-configuration"):
        for answer in (b"{", {"error": code, "error_description": secret}):
            flow.provider = make_provider(issuer=liar.issuer, client_secret=secret)
            liar.answers[path] = answer
            with pytest.raises(OAuthError) as caught:
                await flow.finish({"code": code})
            texts += [*traceback.format_exception(caught.value), repr(caught.value), caught.value.reason]
    texts.append(caplog.text)
    assert "no sign-in with acme" in caplog.text
    id_token = liar.signed().rpartition(".")[2]
    for hidden in (secret, code, "a-secret-token", flow.verifier, flow.nonce, id_token):
        assert not [text for text in texts if hidden in text]


def test_an_answer_that_holds_tokens_does_not_show_them() -> None:
    from regstack.oauth.code_flow import TokenAnswer

    assert "hush" not in repr(TokenAnswer("hush", "hush"))
