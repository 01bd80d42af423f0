from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from regstack.models.line import one_line


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a\r\nb", "a b"),
        ("a\u2028b\u2029c\x85d", "a b c d"),
        ("  a \t b  ", "a b"),
        ("\x1b[31mred", "[31mred"),
        ("a\u202eb\u2066c", "a b c"),
        ("\ud800", ""),
        ("Zoë 你好 👩\u200d🚀 نام\u200cخانوادگی", "Zoë 你好 👩\u200d🚀 نام\u200cخانوادگی"),
    ],
)
def test_what_would_begin_a_line_or_reorder_it_becomes_a_space(text, line):
    assert one_line(text) == line


def test_a_long_text_is_cut():
    assert one_line("x" * 1_000_000, 10) == "x" * 9 + "…"
    assert one_line("x" * 10, 10) == "x" * 10
    assert one_line("\n" * 1_000_000 + "x", 10) == ""


def test_anything_can_be_shown():
    assert one_line(ValueError("a\nb")) == "a b"


@given(st.text(st.characters()), st.integers(1, 50))
def test_the_result_is_one_line_within_the_limit_that_can_be_encoded(text, limit):
    line = one_line(text, limit)
    assert len(line) <= limit
    assert line.splitlines() in ([], [line])
    assert line == one_line(line, limit)
    line.encode("utf-8")
