"""Accounts: making, reading, changing, listing, deleting."""

# ruff: noqa: D102 - a rule is named after the operation that it calls

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st
from hypothesis.stateful import multiple, rule

from regstack.models.user import User
from regstack.testing.model.hostile import ADDRESSES, OPTIONAL_TEXTS, TEXTS
from regstack.testing.model.rules import (
    DELAYS,
    GUARDS,
    JTIS,
    PENDING_TOKENS,
    USERS,
    Rules,
    canonical,
    only_with,
)

if TYPE_CHECKING:
    from datetime import timedelta

    from regstack.models.email_address import EmailAddress

_FLAG = st.sampled_from([None, None, True, False])
_FILTERS = st.fixed_dictionaries(
    {},
    optional={
        "search": st.one_of(st.none(), TEXTS, ADDRESSES.map(lambda email: email.key[:3])),
        "is_active": _FLAG,
        "is_superuser": _FLAG,
        "is_verified": _FLAG,
    },
)
_CHANGE = st.sampled_from([None, False, True])


class UserRules(Rules):
    """Every operation of `users` that `CredentialRules` does not have."""

    @rule(
        target=USERS,
        email=ADDRESSES,
        name=OPTIONAL_TEXTS,
        password=st.booleans(),
        superuser=st.booleans(),
        verified=st.booleans(),
        again=st.one_of(st.none(), st.none(), st.none(), USERS),
        distance=DELAYS,
    )
    def users_create(
        self,
        email: EmailAddress,
        name: str | None,
        password: bool,
        superuser: bool,
        verified: bool,
        again: str | None,
        distance: timedelta,
    ) -> Any:
        user = User.new(
            id=canonical(again) or self.names.id("user"),
            email=email.address,
            email_key=email.key,
            hashed_password=self.names.hash("password") if password else None,
            now=self.moment(distance),
            full_name=name,
            is_verified=verified,
            is_superuser=superuser,
        )
        stored = self.call("users.create", user)
        return stored.id if stored is not None else multiple()

    @rule(target=USERS, token=PENDING_TOKENS, delay=DELAYS)
    @only_with("pending")
    def users_create_from_pending(self, token: str, delay: timedelta) -> Any:
        user = self.call("users.create_from_pending", token, self.moment(delay))
        return user.id if user is not None else multiple()

    @rule(user=USERS)
    def users_get_by_id(self, user: str) -> None:
        self.call("users.get_by_id", user)

    @rule(email=ADDRESSES)
    def users_get_by_email(self, email: EmailAddress) -> None:
        self.call("users.get_by_email", email.key)

    @rule(email=ADDRESSES)
    def users_find_login_subject(self, email: EmailAddress) -> None:
        self.call("users.find_login_subject", email.key)

    @rule(user=USERS, jti=JTIS)
    def users_get_token_subject(self, user: str, jti: str) -> None:
        self.call("users.get_token_subject", user, jti=jti)

    @rule(user=USERS, distance=DELAYS)
    def users_record_login(self, user: str, distance: timedelta) -> None:
        self.call("users.record_login", user, self.moment(distance))

    @rule(user=USERS, name=OPTIONAL_TEXTS)
    def users_update_profile(self, user: str, name: str | None) -> None:
        self.call("users.update_profile", user, full_name=name)

    @rule(user=USERS, phone=st.sampled_from([None, "+41446681800", ""]), guard=GUARDS)
    def users_set_second_factor(self, user: str, phone: str | None, guard: str) -> None:
        self.call("users.set_second_factor", user, phone, token_version=self.version(user, guard))

    @rule(user=USERS, active=_CHANGE, superuser=_CHANGE, verified=_CHANGE, guard=GUARDS)
    def users_set_flags(
        self, user: str, active: bool | None, superuser: bool | None, verified: bool | None, guard: str
    ) -> None:
        self.call(
            "users.set_flags",
            user,
            is_active=active,
            is_superuser=superuser,
            is_verified=verified,
            token_version=self.version(user, guard),
        )

    @rule(user=USERS, guard=GUARDS)
    def users_delete(self, user: str, guard: str) -> None:
        self.call("users.delete", user, token_version=self.version(user, guard))

    @rule(filters=_FILTERS)
    def users_count(self, filters: dict[str, Any]) -> None:
        self.call("users.count", **filters)

    @rule(
        filters=_FILTERS,
        limit=st.integers(1, 4),
        skip=st.integers(0, 3),
        after=st.one_of(st.none(), USERS),
    )
    def users_list_page(self, filters: dict[str, Any], limit: int, skip: int, after: str | None) -> None:
        self.call("users.list_page", limit=limit, skip=skip, after=canonical(after), **filters)
