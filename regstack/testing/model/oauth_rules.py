"""External identities and authorisation flows."""

# ruff: noqa: D102 - a rule is named after the operation that it calls

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st
from hypothesis.stateful import Bundle, initialize, multiple, rule

from regstack.models.oauth_identity import OAuthIdentity
from regstack.models.oauth_state import OAuthState
from regstack.models.user import User
from regstack.testing.model.hostile import ADDRESSES, ISSUERS, OPTIONAL_TEXTS, PROVIDERS, TEXTS
from regstack.testing.model.rules import (
    BATCHES,
    DELAYS,
    GRACES,
    GUARDS,
    LIFETIMES,
    USERS,
    Rules,
    canonical,
    only_with,
)

if TYPE_CHECKING:
    from regstack.models.email_address import EmailAddress

IDENTITIES: Bundle[OAuthIdentity] = Bundle("identities")
STATES: Bundle[str] = Bundle("states")
RESULTS: Bundle[str] = Bundle("results")


class OAuthRules(Rules):
    """Every operation of `oauth_identities` and `oauth_states`."""

    @initialize(target=IDENTITIES)
    def no_identity(self) -> Any:
        """Name an identity that was never linked, and those that were."""
        never = OAuthIdentity(
            id=self.names.id("no_identity"),
            user_id=self.names.id("nobody"),
            provider="google",
            issuer="https://accounts.google.com",
            subject="nobody",
            email=None,
            linked_at=self.twin.clock.now(),
        )
        return multiple(never, *self.before.identities)

    @initialize(target=STATES)
    def no_state(self) -> Any:
        """Name a flow that never began, and those that did."""
        return multiple(self.names.hash("no_state"), *self.before.states)

    @initialize(target=RESULTS)
    def no_result(self) -> Any:
        """Name a result that never was, and the one there is."""
        return multiple(self.names.hash("no_result"), *self.before.results)

    @rule(
        target=IDENTITIES,
        user=USERS,
        provider=PROVIDERS,
        issuer=ISSUERS,
        subject=TEXTS,
        email=OPTIONAL_TEXTS,
        distance=DELAYS,
        guard=GUARDS,
    )
    @only_with("oauth_identities")
    def oauth_identities_create(
        self,
        user: str,
        provider: str,
        issuer: str,
        subject: str,
        email: str | None,
        distance: timedelta,
        guard: str,
    ) -> OAuthIdentity:
        identity = OAuthIdentity(
            id=self.names.id("identity"),
            user_id=user,
            provider=provider,
            issuer=issuer,
            subject=subject,
            email=email,
            linked_at=self.moment(distance),
        )
        self.call("oauth_identities.create", identity, token_version=self.version(user, guard))
        return identity

    @rule(
        target=USERS,
        email=ADDRESSES,
        again=st.one_of(st.none(), st.none(), st.none(), USERS),
        taken=st.one_of(st.none(), IDENTITIES),
        provider=PROVIDERS,
        issuer=ISSUERS,
        subject=TEXTS,
        distance=DELAYS,
    )
    @only_with("oauth_identities")
    def oauth_identities_create_with_user(
        self,
        email: EmailAddress,
        again: str | None,
        taken: OAuthIdentity | None,
        provider: str,
        issuer: str,
        subject: str,
        distance: timedelta,
    ) -> Any:
        user = User.new(
            id=canonical(again) or self.names.id("user"),
            email=email.address,
            email_key=email.key,
            hashed_password=None,
            now=self.moment(distance),
            is_verified=True,
        )
        identity = OAuthIdentity(
            id=self.names.id("identity"),
            user_id=user.id,
            provider=provider,
            issuer=issuer if taken is None else taken.issuer,
            subject=subject if taken is None else taken.subject,
            email=email.address,
            linked_at=self.moment(distance),
        )
        stored = self.call("oauth_identities.create_with_user", user, identity)
        return stored.id if stored is not None else multiple()

    @rule(identity=IDENTITIES)
    @only_with("oauth_identities")
    def link_again(self, identity: OAuthIdentity) -> None:
        """Repeat a link that may have been cut by now."""
        self.call("oauth_identities.create", identity)

    @rule(identity=IDENTITIES)
    @only_with("oauth_identities")
    def oauth_identities_find_by_subject(self, identity: OAuthIdentity) -> None:
        self.call("oauth_identities.find_by_subject", identity.issuer, identity.subject)

    @rule(user=USERS)
    @only_with("oauth_identities")
    def oauth_identities_list_for_user(self, user: str) -> None:
        self.call("oauth_identities.list_for_user", user)

    @rule(identity=IDENTITIES, guard=GUARDS)
    @only_with("oauth_identities")
    def oauth_identities_delete(self, identity: OAuthIdentity, guard: str) -> None:
        version = self.version(identity.user_id, guard)
        self.call("oauth_identities.delete", identity.user_id, identity.provider, token_version=version)

    @rule(user=USERS)
    @only_with("oauth_identities")
    def oauth_identities_delete_by_user_id(self, user: str) -> None:
        self.call("oauth_identities.delete_by_user_id", user)

    @rule(identity=IDENTITIES, distance=DELAYS)
    @only_with("oauth_identities")
    def oauth_identities_touch_last_used(self, identity: OAuthIdentity, distance: timedelta) -> None:
        self.call("oauth_identities.touch_last_used", identity.id, self.moment(distance))

    @rule(
        target=STATES,
        again=st.one_of(st.none(), st.none(), STATES),
        linking=st.one_of(st.none(), USERS),
        provider=PROVIDERS,
        redirect_to=OPTIONAL_TEXTS,
        lifetime=LIFETIMES,
    )
    @only_with("oauth_states")
    def oauth_states_create(
        self,
        again: str | None,
        linking: str | None,
        provider: str,
        redirect_to: str | None,
        lifetime: timedelta,
    ) -> str:
        state = OAuthState(
            state_hash=again or self.names.hash("state"),
            provider=provider,
            browser_hash=self.names.hash("browser"),
            redirect_to=redirect_to,
            linking_user_id=linking,
            created_at=self.twin.clock.now(),
            expires_at=self.expiry(lifetime),
        )
        self.call("oauth_states.create", state)
        return state.state_hash

    @rule(state=STATES)
    @only_with("oauth_states")
    def oauth_states_find(self, state: str) -> None:
        self.call("oauth_states.find", state)

    @rule(
        target=RESULTS,
        state=STATES,
        user=USERS,
        version=st.integers(0, 2),
        new=st.booleans(),
        lifetime=LIFETIMES,
        delay=DELAYS,
    )
    @only_with("oauth_states")
    def oauth_states_set_result(
        self, state: str, user: str, version: int, new: bool, lifetime: timedelta, delay: timedelta
    ) -> str:
        result_hash = self.names.hash("result")
        self.call(
            "oauth_states.set_result",
            state,
            result_hash=result_hash,
            user_id=user,
            token_version=version,
            was_new_account=new,
            expires_at=self.expiry(lifetime),
            now=self.moment(delay),
        )
        return result_hash

    @rule(result=RESULTS, delay=DELAYS)
    @only_with("oauth_states")
    def oauth_states_consume(self, result: str, delay: timedelta) -> None:
        self.call("oauth_states.consume", result, self.moment(delay))

    @rule(grace=GRACES, batch=BATCHES)
    @only_with("oauth_states")
    def oauth_states_purge_expired(self, grace: timedelta, batch: int) -> None:
        self.call("oauth_states.purge_expired", self.moment(timedelta()), grace=grace, batch=batch)
