"""Text: exactly as written, or refused; and its form under search."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from regstack.errors import InvalidText
from regstack.models.text import check_text, search_key

storable = st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\0"))


@given(storable)
def test_text_that_can_be_stored_comes_back_unchanged(value: str) -> None:
    assert check_text(value) == value


@pytest.mark.parametrize("value", ["\0", "a\0b", "\ud800", "a\udfffb"])
def test_nul_and_lone_surrogates_are_refused(value: str) -> None:
    with pytest.raises(InvalidText):
        check_text(value)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Alice", "ALICE"),
        ("Ａｌｉｃｅ", "alice"),
        ("José", "Jose\u0301"),
        ("Straße", "STRASSE"),
        ("ﬁnn", "Finn"),
        ("ΣΊΣΥΦΟΣ", "σίσυφος"),
    ],
)
def test_forms_of_one_word_are_found_by_each_other(one: str, other: str) -> None:
    assert search_key(one) == search_key(other)


@pytest.mark.parametrize(("one", "other"), [("a", "á"), ("i", "ı"), ("o", "ø"), ("a%", "ab"), ("a_", "ab")])
def test_different_letters_stay_different(one: str, other: str) -> None:
    assert search_key(one) != search_key(other)


@given(storable)
def test_a_search_key_is_its_own_search_key(value: str) -> None:
    assert search_key(value) == search_key(search_key(value))
