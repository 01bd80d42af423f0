from __future__ import annotations

from regstack.auth.keys import KEY_BYTES, KeyRing

ring = KeyRing("a" * 32, ["b" * 32])


def test_keys_of_different_purposes_and_roots_differ() -> None:
    derived = {ring.derive(purpose, kid) for purpose in ("one", "two") for kid in ring}
    assert len(derived) == 4
    assert {len(key) for key in derived} == {KEY_BYTES}


def test_derivation_depends_on_the_root_alone() -> None:
    assert KeyRing("b" * 32).derive("one") == ring.derive("one", list(ring)[1])


def test_a_key_id_gives_nothing_of_the_key_away() -> None:
    assert ring.current_kid.encode() not in ring.derive("one")
    assert bytes.fromhex(ring.current_kid) not in ring.derive("one")


def test_fingerprints_need_the_root() -> None:
    assert ring.fingerprint("codes", "123456") != KeyRing("c" * 32).fingerprint("codes", "123456")
    assert ring.fingerprint("codes", "123456") != ring.fingerprint("attempts", "123456")
