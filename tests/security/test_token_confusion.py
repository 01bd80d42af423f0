"""A token that is wrong in any way, or of another kind, gets one and the same 401."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from datetime import timedelta
from typing import Any

import pytest
from fastapi import HTTPException
from fastapi.requests import HTTPConnection

from regstack.auth.keys import KeyRing
from regstack.auth.tokens import ACCESS
from tests.backends import ON_MEMORY
from tests.conftest import SECRET, START

pytestmark = pytest.mark.anyio

KEYS = KeyRing(SECRET)
USER = "01890a5d-ac96-7000-8000-000000000000"
NOW = START.timestamp()
HUGE = 10**30
MADE_BY_SOMEBODY = "a secret of somebody else's own application"


def encode(part: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode()


def forge(payload: dict[str, Any], header: dict[str, Any] | None = None, key: bytes | None = None) -> str:
    """A token signed with the right key, or another one, whatever it says."""
    header = {"alg": "HS256", "typ": "JWT", "kid": KEYS.current_kid} | (header or {})
    signed = f"{encode(header)}.{encode(payload)}"
    hashes = {"HS384": hashlib.sha384, "HS512": hashlib.sha512}
    name = hashes.get(str(header["alg"]), hashlib.sha256)
    digest = hmac.new(key or KEYS.derive("jwt/access"), signed.encode(), name).digest()
    return f"{signed}.{base64.urlsafe_b64encode(digest).rstrip(b'=').decode()}"


def claims(**changes: Any) -> dict[str, Any]:
    good = {"sub": USER, "jti": "j", "ver": 0, "iat": NOW, "exp": NOW + 60, "purpose": ACCESS}
    return {name: value for name, value in (good | changes).items() if value is not ...}


def vectors(user_id: str) -> dict[str, str]:
    """Tokens with one fault each; all else is what an account's own token says."""
    now, good = NOW, claims(sub=user_id)
    mfa, phone = KEYS.derive("jwt/mfa"), KEYS.derive("jwt/phone")

    def with_claims(**changes: Any) -> str:
        return forge(claims(**{"sub": user_id} | changes))

    return {
        "not a token": "abc",
        "two parts": "a.b",
        "five parts": "a.b.c.d.e",
        "too long": with_claims(pad="x" * 5000),
        "cut short": forge(good)[:-2],
        "payload of another": f"{forge(good).split('.')[0]}.{encode(claims())}.{forge(good).split('.')[2]}",
        "payload not JSON": "e30.bm8.e30",
        "deeply nested": f"{encode({'alg': 'HS256'})}.{base64.urlsafe_b64encode(b'[' * 2000).decode()}.x",
        "alg none": forge(good, {"alg": "none"}),
        "alg none, no signature": forge(good, {"alg": "none"}).rpartition(".")[0] + ".",
        "alg None in capitals": forge(good, {"alg": "NONE"}).rpartition(".")[0] + ".",
        "alg another that the key would do for": forge(good, {"alg": "HS512"}),
        "alg asymmetric": forge(good, {"alg": "RS256"}),
        "alg a list": forge(good, {"alg": ["HS256"]}),
        "crit": forge(good, {"crit": ["exp"], "exp": now + 60}),
        "b64 false": forge(good, {"b64": False, "crit": ["b64"]}),
        "own key in header": forge(good, {"jwk": {"kty": "oct", "k": "YQ"}}, key=b"a"),
        "key url in header": forge(good, {"jku": "https://evil.example"}),
        "certificate in header": forge(good, {"x5u": "https://evil.example"}),
        "unknown kid": forge(good, {"kid": "0" * 16}),
        "kid a path": forge(good, {"kid": "../../dev/null"}),
        "kid a list": forge(good, {"kid": [KEYS.current_kid]}),
        "wrong key": forge(good, key=b"k" * 32),
        "another root": forge(good, key=KeyRing(MADE_BY_SOMEBODY).derive("jwt/access")),
        "root secret as key": forge(good, key=SECRET.encode()),
        "key of another purpose": forge(good, key=mfa),
        "purpose and key of a half-finished sign-in": forge(
            good | {"purpose": "mfa"}, key=KEYS.derive("jwt/mfa")
        ),
        "purpose and key of a phone set-up": forge(good | {"purpose": "phone"}, key=phone),
        "purpose other": with_claims(purpose="mfa"),
        "purpose in another case": with_claims(purpose="ACCESS"),
        "purpose a list": with_claims(purpose=["access"]),
        "purpose missing": with_claims(purpose=...),
        "expired": with_claims(exp=now),
        "exp missing": with_claims(exp=...),
        "exp negative": with_claims(exp=-1),
        "exp huge": with_claims(exp=HUGE),
        "exp infinite": with_claims(exp=float("inf")),
        "exp not a number": with_claims(exp=float("nan")),
        "exp text": with_claims(exp="9999999999"),
        "exp true": with_claims(exp=True),
        "iat in the future": with_claims(iat=now + 0.001),
        "iat missing": with_claims(iat=...),
        "iat huge": with_claims(iat=HUGE),
        "iat negative": with_claims(iat=-5),
        "sub missing": with_claims(sub=...),
        "sub a number": with_claims(sub=5),
        "sub no id": with_claims(sub="alice"),
        "sub upper case": with_claims(sub=user_id.upper()),
        "sub nobody": forge(claims()),
        "jti missing": with_claims(jti=...),
        "jti empty": with_claims(jti=""),
        "jti huge": with_claims(jti="j" * 65),
        "ver missing": with_claims(ver=...),
        "ver true": with_claims(ver=False),
        "ver negative": with_claims(ver=-1),
        "ver ahead": with_claims(ver=1),
        "ver text": with_claims(ver="0"),
        "aud not asked for": with_claims(aud="other"),
        "sid a number": with_claims(sid=5),
    }


def answer_of(response: Any) -> tuple[int, str, list[tuple[str, str]]]:
    """All of an answer that a client sees."""
    return response.status_code, response.text, sorted(response.headers.items())


async def test_a_forged_token_with_everything_right_passes_so_that_the_vectors_mean_something(
    world: Any,
) -> None:
    user = await world.account()
    assert (await world.get("/me", forge(claims(sub=user["id"])))).json()["id"] == user["id"]


async def test_every_fault_is_answered_by_one_identical_401(world: Any) -> None:
    user = await world.account()
    nothing = answer_of(await world.get("/me"))
    assert nothing[0] == 401
    for fault, token in vectors(user["id"]).items():
        assert answer_of(await world.get("/me", token)) == nothing, fault


async def test_every_way_in_is_shut_to_a_faulty_token(make_world: Any) -> None:
    world = await make_world(enable_admin_router=True)
    root = await world.rs.bootstrap_admin("root@example.com", "correct horse battery")
    for fault in ("alg none, no signature", "wrong key", "key of another purpose", "ver ahead", "expired"):
        token = vectors(root.id)[fault]
        for method, path in [
            ("POST", "/logout"),
            ("PATCH", "/me"),
            ("DELETE", "/account"),
            ("POST", "/change-password"),
            ("POST", "/change-email"),
            ("GET", "/admin/stats"),
            ("DELETE", f"/admin/users/{root.id}"),
        ]:
            answer = await world.call(method, path, {}, token)
            assert answer.status_code == 401, (fault, path)
    assert await world.rs.users.count(is_superuser=True) == 1


async def test_a_dead_token_is_answered_as_a_forged_one(make_world: Any) -> None:
    world = await make_world()
    nothing = answer_of(await world.get("/me"))
    ends: dict[str, Any] = {
        "revoked": lambda user, token: world.post("/logout", token=token),
        "outdated": lambda user, token: world.rs.users.invalidate_tokens(user["id"]),
        "disabled": lambda user, token: world.rs.users.set_flags(user["id"], is_active=False),
        "not verified": lambda user, token: world.rs.users.set_flags(user["id"], is_verified=False),
        "deleted": lambda user, token: world.rs.users.delete(user["id"]),
    }
    for number, (end, act) in enumerate(ends.items()):
        user = await world.account(f"user{number}@example.com")
        token = await world.log_in(f"user{number}@example.com")
        assert (await world.get("/me", token)).status_code == 200
        await act(user, token)
        assert answer_of(await world.get("/me", token)) == nothing, end
    await world.account()
    token = await world.log_in()
    world.clock.advance(timedelta(seconds=world.rs.config.jwt_ttl_seconds))
    assert answer_of(await world.get("/me", token)) == nothing


async def test_a_token_for_another_audience_is_refused(make_world: Any) -> None:
    world = await make_world(jwt_audience="shop")
    user = await world.account()
    nothing = answer_of(await world.get("/me"))
    for audience in ("bank", ["shop"], ["bank", "shop"], "", None, ..., "SHOP"):
        token = forge(claims(sub=user["id"], aud=audience))
        assert answer_of(await world.get("/me", token)) == nothing, audience
    assert (await world.get("/me", forge(claims(sub=user["id"], aud="shop")))).status_code == 200
    assert (await world.get("/me", await world.log_in())).status_code == 200


async def test_a_stronger_configured_algorithm_takes_no_weaker_one(make_world: Any) -> None:
    world = await make_world(jwt_algorithm="HS512")
    user = await world.account()
    for algorithm, status in (("HS256", 401), ("HS384", 401), ("HS512", 200)):
        token = forge(claims(sub=user["id"]), {"alg": algorithm})
        assert (await world.get("/me", token)).status_code == status, algorithm


@pytest.mark.parametrize(
    "authorization",
    ["", "Bearer", "Bearer ", "Bearer x", "Basic eDp5", "Bearer a.b.c", "bearer " + "x" * 5000, "Bearer é"],
)
async def test_a_bad_authorization_header_is_always_the_same_401(world: Any, authorization: str) -> None:
    url = world.rs.config.api_prefix + "/me"
    nothing = answer_of(await world.client.get(url))
    answer = await world.client.get(url, headers={"Authorization": authorization.encode()})
    assert answer_of(answer) == nothing
    assert answer.headers["www-authenticate"] == "Bearer"


async def test_a_cut_token_is_refused(world: Any) -> None:
    await world.account()
    token = await world.log_in()
    for end in (-1, -10, len(token) // 2, 5):
        assert (await world.get("/me", token[:end])).status_code == 401


async def test_the_cookie_of_the_pages_takes_no_faulty_token_either(browser: Any) -> None:
    await browser.account()
    user = await browser.rs.users.get_by_email("alice@example.com")
    browser.client.cookies.set("regstack-account", forge(claims(sub=user.id)), domain="app.example", path="/")
    assert (await browser.open("me", follow=False)).status == 200
    for fault, token in vectors(user.id).items():
        browser.client.cookies.clear()
        answer = await browser.client.get(browser.url("me"), headers={"Cookie": f"regstack-account={token}"})
        assert answer.status_code == 303, fault
        assert answer.headers["location"] == "/account/login?done=sign-in", fault


@ON_MEMORY
async def test_a_scope_that_is_used_for_a_further_request_is_not_the_first_one_s(make_world: Any) -> None:
    world = await make_world()
    tokens = {}
    for email in ("alice@example.com", "bob@example.com"):
        await world.account(email)
        tokens[email] = await world.log_in(email)
    user = world.rs.deps.current_user()
    scope: dict[str, Any] = {"type": "http"}

    async def asked_with(*headers: str) -> str:
        fields = [(b"authorization", header.encode()) for header in headers]
        return str((await user(HTTPConnection(scope | {"headers": fields}))).email)

    for email, token in tokens.items():
        scope["headers"] = [(b"authorization", f"Bearer {token}".encode())]
        assert (await user(HTTPConnection(scope))).email == email
        assert await asked_with(f"Bearer {tokens['alice@example.com']}") == "alice@example.com"
    for nobody in ([], ["Bearer nonsense"], ["Basic Ym9i"]):
        with pytest.raises(HTTPException):
            await asked_with(*nobody)
