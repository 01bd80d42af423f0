from __future__ import annotations

import base64
import hashlib
import hmac
import json
from datetime import timedelta
from typing import Any

import pytest

from regstack.auth.clock import FrozenClock
from regstack.auth.keys import KeyRing
from regstack.auth.tokens import ACCESS, JwtCodec
from regstack.errors import InvalidToken
from regstack.models.ids import new_id

OLD, NEW = "o" * 48, "n" * 48
HOUR = timedelta(hours=1)

clock = FrozenClock()
keys = KeyRing(NEW, [OLD])
codec = JwtCodec(keys, clock)
USER = new_id(clock)


def encode(part: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode()


def forge(payload: dict[str, Any], header: dict[str, Any] | None = None, key: bytes | None = None) -> str:
    """A token signed with the right key, or another one, whatever it says."""
    header = {"alg": "HS256", "typ": "JWT", "kid": keys.current_kid} | (header or {})
    signed = f"{encode(header)}.{encode(payload)}"
    digest = hmac.new(key or keys.derive("jwt/access"), signed.encode(), hashlib.sha256).digest()
    return f"{signed}.{base64.urlsafe_b64encode(digest).rstrip(b'=').decode()}"


def claims(**changes: Any) -> dict[str, Any]:
    now = clock.now().timestamp()
    good = {"sub": USER, "jti": "j", "ver": 0, "iat": now, "exp": now + 60, "purpose": "access"}
    return {name: value for name, value in (good | changes).items() if value is not ...}


def test_a_forged_token_with_everything_right_passes_so_that_the_vectors_below_mean_something() -> None:
    assert codec.check(ACCESS, forge(claims())).sub == USER


def test_a_token_says_what_was_signed() -> None:
    signed = codec.sign(ACCESS, sub=USER, ver=3, ttl=HOUR)
    assert codec.check(ACCESS, signed.text) == signed.claims
    assert signed.claims.ver == 3
    assert signed.text not in repr(signed)


def test_two_tokens_of_one_instant_have_different_ids() -> None:
    one, other = (codec.sign(ACCESS, sub=USER, ver=0, ttl=HOUR) for _ in range(2))
    assert one.claims.jti != other.claims.jti


def test_it_is_good_until_the_very_instant_of_its_expiry() -> None:
    own_clock = FrozenClock()
    own = JwtCodec(keys, own_clock)
    signed = own.sign(ACCESS, sub=USER, ver=0, ttl=HOUR)
    own_clock.advance(HOUR - timedelta(milliseconds=1))
    own.check(ACCESS, signed.text)
    own_clock.advance(timedelta(milliseconds=1))
    with pytest.raises(InvalidToken):
        own.check(ACCESS, signed.text)


def test_a_token_of_an_earlier_root_secret_still_passes_and_one_of_an_unknown_root_does_not() -> None:
    signed = JwtCodec(KeyRing(OLD), clock).sign(ACCESS, sub=USER, ver=0, ttl=HOUR)
    assert codec.check(ACCESS, signed.text) == signed.claims
    with pytest.raises(InvalidToken):
        JwtCodec(KeyRing(NEW), clock).check(ACCESS, signed.text)


def test_the_audience_must_be_the_configured_one() -> None:
    ours = JwtCodec(keys, clock, audience="shop")
    signed = ours.sign(ACCESS, sub=USER, ver=0, ttl=HOUR)
    assert ours.check(ACCESS, signed.text) == signed.claims
    for other in (codec, JwtCodec(keys, clock, audience="bank")):
        with pytest.raises(InvalidToken):
            other.check(ACCESS, signed.text)
    with pytest.raises(InvalidToken):
        ours.check(ACCESS, forge(claims()))


HUGE = 10**30
now = clock.now().timestamp()
NEGATIVE_VECTORS = {
    "empty": "",
    "not a token": "abc",
    "two parts": "a.b",
    "five parts": "a.b.c.d.e",
    "not ascii": "é.é.é",
    "too long": forge(claims(pad="x" * 5000)),
    "cut short": forge(claims())[:-2],
    "payload not JSON": "e30.bm8.e30",
    "deeply nested": f"{encode({'alg': 'HS256'})}.{base64.urlsafe_b64encode(b'[' * 2000).decode()}.x",
    "alg none": forge(claims(), {"alg": "none"}),
    "alg none, no signature": forge(claims(), {"alg": "none"}).rpartition(".")[0] + ".",
    "alg other": forge(claims(), {"alg": "HS512"}),
    "alg asymmetric": forge(claims(), {"alg": "RS256"}),
    "alg a list": forge(claims(), {"alg": ["HS256"]}),
    "crit": forge(claims(), {"crit": ["exp"], "exp": now + 60}),
    "b64 false": forge(claims(), {"b64": False, "crit": ["b64"]}),
    "own key in header": forge(claims(), {"jwk": {"kty": "oct", "k": "YQ"}}, key=b"a"),
    "key url in header": forge(claims(), {"jku": "https://evil.example"}),
    "unknown kid": forge(claims(), {"kid": "0" * 16}),
    "kid a path": forge(claims(), {"kid": "../../dev/null"}),
    "kid a list": forge(claims(), {"kid": [keys.current_kid]}),
    "wrong key": forge(claims(), key=b"k" * 32),
    "key of another purpose": forge(claims(), key=keys.derive("jwt/mfa")),
    "root secret as key": forge(claims(), key=NEW.encode()),
    "purpose other": forge(claims(purpose="mfa_pending")),
    "purpose missing": forge(claims(purpose=...)),
    "expired": forge(claims(exp=now)),
    "exp missing": forge(claims(exp=...)),
    "exp negative": forge(claims(exp=-1)),
    "exp huge": forge(claims(exp=HUGE)),
    "exp infinite": forge(claims(exp=float("inf"))),
    "exp not a number": forge(claims(exp=float("nan"))),
    "exp text": forge(claims(exp="9999999999")),
    "exp true": forge(claims(exp=True)),
    "iat in the future": forge(claims(iat=now + 0.001)),
    "iat missing": forge(claims(iat=...)),
    "iat huge": forge(claims(iat=HUGE)),
    "iat negative": forge(claims(iat=-5)),
    "sub missing": forge(claims(sub=...)),
    "sub a number": forge(claims(sub=5)),
    "sub no id": forge(claims(sub="alice")),
    "sub upper case": forge(claims(sub=USER.upper())),
    "jti missing": forge(claims(jti=...)),
    "jti empty": forge(claims(jti="")),
    "jti huge": forge(claims(jti="j" * 65)),
    "ver missing": forge(claims(ver=...)),
    "ver true": forge(claims(ver=True)),
    "ver negative": forge(claims(ver=-1)),
    "ver text": forge(claims(ver="0")),
    "aud not asked for": forge(claims(aud="other")),
    "sid a number": forge(claims(sid=5)),
}


@pytest.mark.parametrize("fault", NEGATIVE_VECTORS)
def test_every_fault_is_refused_alike(fault: str) -> None:
    with pytest.raises(InvalidToken) as caught:
        codec.check(ACCESS, NEGATIVE_VECTORS[fault])
    assert caught.value.args == InvalidToken().args
    assert caught.value.__cause__ is None
