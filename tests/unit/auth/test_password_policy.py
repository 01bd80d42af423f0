from __future__ import annotations

import pytest

from regstack.auth.password_policy import MAXIMUM_LENGTH, MINIMUM_LENGTH, PasswordPolicy
from regstack.errors import InvalidText, PasswordRejected

policy = PasswordPolicy()


@pytest.mark.parametrize(
    "password",
    [
        "x8Kd!mQ2",
        "correct horse battery staple",
        "пароль-из-слов",
        "🐴🔋📎✅ 🐴🔋📎",
        " " * 4 + "tabs are fine\t",
    ],
)
def test_anything_of_the_right_length_that_is_not_common_is_accepted(password: str) -> None:
    policy.check(password)


@pytest.mark.parametrize(
    "password",
    ["password", "PASSWORD", "Password1", "12345678", "qwertyuiop", "ｐａｓｓｗｏｒｄ", "aaaaaaaaaaaa"],
)
def test_common_passwords_are_refused_in_any_case_and_width(password: str) -> None:
    with pytest.raises(PasswordRejected, match="common"):
        policy.check(password)


def test_the_bounds_are_counted_in_characters() -> None:
    policy.check("é" * (MINIMUM_LENGTH - 1) + "x")
    policy.check("ab" * (MAXIMUM_LENGTH // 2))
    with pytest.raises(PasswordRejected, match="at least 8"):
        policy.check("x8Kd!mQ")
    with pytest.raises(PasswordRejected, match="at most 128"):
        policy.check("ab" * (MAXIMUM_LENGTH // 2) + "c")


@pytest.mark.parametrize(
    "password", ["alice.smith", "Alice.Smith@Example.com", "alicesmith", "RegStack-Shop"]
)
def test_one_s_own_address_or_name_is_refused(password: str) -> None:
    with pytest.raises(PasswordRejected, match="address or name"):
        policy.check(password, context=["alice.smith@example.com", "Alice Smith", "RegStack-Shop"])


def test_text_that_no_database_stores_alike_is_refused() -> None:
    for password in ("correct\0horse", "correct\ud800horse"):
        with pytest.raises(InvalidText):
            policy.check(password)
