"""What drivers and plugins raise is shown in one line, and without the password of the URL."""

from __future__ import annotations

import pytest

from regstack.plugins.redaction import last_line, quotes_secrets, without_secrets

URL = "acme://user:s3%20cret@host/db"


class Hostile(Exception):
    """Cannot even be shown."""

    def __str__(self) -> str:
        raise RuntimeError


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (ValueError("no such\nhost\x1b[31m\u202e"), "ValueError: no such host [31m"),
        (KeyError(), "KeyError"),
        (ConnectionResetError("gone"), "ConnectionResetError: gone"),
        (Hostile(), f"{__name__}.Hostile: <exception str() failed>"),
        (SyntaxError("invalid syntax", ("a.py", 1, 1, "def (", 1, 2)), "SyntaxError: invalid syntax"),
    ],
)
def test_an_error_is_told_by_the_line_that_its_traceback_ends_with(error: Exception, line: str) -> None:
    assert last_line(error) == line


@pytest.mark.parametrize("secret", [URL, "s3%20cret", "s3 cret"])
@pytest.mark.parametrize("before", ["", "a line\n", "x" * 285])
def test_no_part_of_the_password_is_left_however_long_the_message_is(before: str, secret: str) -> None:
    error = ValueError(f"{before}{secret}")
    assert "s3" not in last_line(error, URL)
    assert "…" in last_line(error, URL)
    assert quotes_secrets(error, URL)


def test_what_quotes_no_secret_is_left_as_it_is() -> None:
    assert last_line(ValueError("no host db"), URL) == "ValueError: no host db"
    assert not quotes_secrets(ValueError("no host db"), URL)


@pytest.mark.parametrize("url", ["", "acme://", "acme://[broken"])
def test_a_url_without_a_password_blots_nothing_out(url: str) -> None:
    assert without_secrets("all of it", url) == "all of it"
