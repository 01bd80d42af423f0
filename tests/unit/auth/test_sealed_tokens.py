"""Tokens that say whose they are."""

from __future__ import annotations

import pytest

from regstack.auth.keys import KeyRing
from regstack.auth.sealed_tokens import SealedTokens

ID = "01890000-0000-7000-8000-000000000001"
OTHER = "01890000-0000-7000-8000-000000000002"
SECRET, EARLIER = "s" * 64, "e" * 64


def tokens(secret: str = SECRET, previous: tuple[str, ...] = (), purpose: str = "test") -> SealedTokens:
    return SealedTokens(KeyRing(secret, previous), purpose)


def test_a_token_says_whose_it_is() -> None:
    token = tokens().new(ID)
    assert len(token) == 143
    assert tokens().user_id(token) == ID
    assert token != tokens().new(ID)


def test_a_token_outlives_a_new_secret_while_the_earlier_one_counts() -> None:
    token = tokens(EARLIER).new(ID)
    assert tokens(SECRET, (EARLIER,)).user_id(token) == ID
    assert tokens(SECRET).user_id(token) is None


def test_a_token_of_another_purpose_is_none() -> None:
    assert tokens(purpose="other").user_id(tokens().new(ID)) is None


@pytest.mark.parametrize("position", [0, 35, 36, 78, 79, 142])
def test_a_token_with_any_other_character_is_none(position: int) -> None:
    token = tokens().new(ID)
    other = "1" if token[position] == "0" else "0"
    assert tokens().user_id(token[:position] + other + token[position + 1 :]) is None


@pytest.mark.parametrize("change", ["", ID, "\ud800" * 143, "\u0660" * 143])
def test_what_has_not_the_form_is_none(change: str) -> None:
    assert tokens().user_id(change) is None
    assert tokens().user_id(tokens().new(ID) + "\n") is None
    assert tokens().user_id(tokens().new(ID).replace(ID, OTHER)) is None
