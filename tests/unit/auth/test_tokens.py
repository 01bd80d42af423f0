from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jwt
from joserfc.jwk import OctKey

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
        ours.check(ACCESS, codec.sign(ACCESS, sub=USER, ver=0, ttl=HOUR).text)


def test_a_refusal_says_nothing_of_its_cause() -> None:
    for text in ("", "é.é.é", "a.b.c", codec.sign(ACCESS, sub=USER, ver=0, ttl=-HOUR).text):
        with pytest.raises(InvalidToken) as caught:
            codec.check(ACCESS, text)
        assert caught.value.args == InvalidToken().args
        assert caught.value.__cause__ is None


@pytest.mark.parametrize("algorithm", ["HS256", "HS384", "HS512"])
def test_a_library_for_tokens_reads_ours_and_ours_reads_the_library_s(algorithm: str) -> None:
    ours = JwtCodec(keys, clock, algorithm=algorithm)
    signed = ours.sign(ACCESS, sub=USER, ver=3, ttl=HOUR, sid="sïd")
    key = OctKey.import_key(keys.derive("jwt/access", keys.current_kid))
    read = jwt.decode(signed.text, key, algorithms=[algorithm])
    assert (read.claims["sub"], read.claims["ver"], read.claims["sid"]) == (USER, 3, "sïd")
    theirs = jwt.encode(read.header, read.claims, key, algorithms=[algorithm])
    assert ours.check(ACCESS, theirs) == signed.claims


@given(data=st.data())
def test_what_is_let_through_is_what_a_library_for_tokens_lets_through(data: st.DataObject) -> None:
    text = codec.sign(ACCESS, sub=USER, ver=3, ttl=HOUR).text
    at = data.draw(st.integers(0, len(text)))
    changed = text[:at] + data.draw(st.text(max_size=3)) + text[at + data.draw(st.integers(0, 3)) :]
    try:
        codec.check(ACCESS, changed)
    except InvalidToken:
        return
    key = OctKey.import_key(keys.derive("jwt/access", keys.current_kid))
    assert jwt.decode(changed, key, algorithms=["HS256"]).claims["sub"] == USER
    assert changed == text
