"""The parts of one instance, made from its settings."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from regstack.auth.clock import SystemClock
from regstack.auth.keys import KeyRing
from regstack.auth.password_policy import PasswordPolicy
from regstack.auth.passwords import Argon2Parameters, PasswordHasher, parameters
from regstack.auth.phone_numbers import load_phonenumbers
from regstack.errors import ConfigurationError
from regstack.services.accounts import Accounts
from regstack.services.administration import Administration
from regstack.services.admission import Admission
from regstack.services.background import BackgroundQueue
from regstack.services.caller import hung_up
from regstack.services.confirmation import Confirmation
from regstack.services.email_change import EmailChange
from regstack.services.fences import fenced_blacklist, fenced_users
from regstack.services.limits import parse_limits
from regstack.services.login import Login
from regstack.services.passwords import Passwords
from regstack.services.phone import Phone
from regstack.services.reauthentication import Reauthentication
from regstack.services.registration import Registration
from regstack.services.second_factor import SecondFactor
from regstack.services.services import Services
from regstack.services.sessions import Sessions
from regstack.services.texted_codes import TextedCodes
from regstack.services.texts import Texts
from regstack.services.token_subjects import TokenSubjects

if TYPE_CHECKING:
    from collections.abc import Mapping

    from regstack.auth.clock import Clock
    from regstack.auth.tokens import JwtCodec
    from regstack.backends.base import Backend
    from regstack.backends.changes import Change
    from regstack.backends.protocols import BlacklistRepoProtocol, UserRepoProtocol
    from regstack.config.schema import RegStackConfig
    from regstack.oauth.provider import OAuthProvider
    from regstack.services.audit import Audit
    from regstack.services.events import EventHooks
    from regstack.services.limits import Limits
    from regstack.services.lockout import Lockout
    from regstack.services.notices import Notices
    from regstack.services.oauth import OAuth
    from regstack.services.texter import Texter
    from regstack.services.throttle import Throttle


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenRepositories:
    """The two repositories that say whether a token is good, and what stands before them.

    Attributes:
        users: accounts; with a cache, writes drop from it whom they concern.
        blacklist: revoked tokens; likewise.
        recent: what was read a moment ago; None without a cache.
        announcements: tells other processes; None where nobody can be told.
    """

    users: UserRepoProtocol
    blacklist: BlacklistRepoProtocol
    recent: TokenSubjects | None = None
    announcements: BackgroundQueue | None = None


def make_token_repositories(config: RegStackConfig, backend: Backend) -> TokenRepositories:
    """Give the repositories of accounts and revoked tokens as the settings say.

    Raises:
        ConfigurationError: the backend cannot read a setting that it needs for telling others.
    """
    if not config.token_cache_milliseconds:
        return TokenRepositories(users=backend.users, blacklist=backend.blacklist)
    feed = backend.change_feed()
    queue = BackgroundQueue(name="changes", capacity=config.background_queue_size) if feed else None

    def announce(change: Change) -> None:
        if feed is not None and queue is not None:
            queue.put(lambda: feed.announce(change), label="announce")

    recent = TokenSubjects(
        backend.users,
        keep_seconds=config.token_cache_milliseconds / 1000,
        size=config.token_cache_size,
        feed=feed,
    )
    return TokenRepositories(
        users=fenced_users(backend.users, recent.forget, announce),
        blacklist=fenced_blacklist(backend.blacklist, recent.forget, announce),
        recent=recent,
        announcements=queue,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What the use cases of one instance are made of.

    Attributes:
        repositories: go before those of the same name in `backend`.
        oauth_providers: those that the host passed in, if not those of the settings.
    """

    config: RegStackConfig
    clock: Clock
    keys: KeyRing
    backend: Backend
    repositories: TokenRepositories
    hasher: PasswordHasher
    jwt: JwtCodec
    audit: Audit
    throttle: Throttle
    lockout: Lockout
    limits: Limits
    notices: Notices
    texter: Texter
    background: BackgroundQueue
    events: EventHooks
    oauth_providers: Mapping[str, OAuthProvider] | None


def make_services(parts: Parts) -> Services:
    """Make every use case that is switched on.

    Raises:
        ConfigurationError: a switch needs a library that is not installed, or more settings.
        UnsupportedCapability: a switch needs what the backend lacks.
    """
    config, clock, users = parts.config, parts.clock, parts.repositories.users
    audit, events, limits = parts.audit, parts.events, parts.limits
    policy = PasswordPolicy()
    sessions = Sessions(
        users,
        parts.repositories.blacklist,
        parts.repositories.recent,
        parts.jwt,
        audit,
        events,
        ttl=timedelta(seconds=config.jwt_ttl_seconds),
        require_verification=config.require_verification,
    )
    again = Reauthentication(parts.hasher, parts.lockout, audit)
    admission = Admission(users, sessions, parts.lockout, audit, events, clock)
    second_factor, phone = (
        _make_second_factor(parts, admission, again) if config.enable_sms_2fa else (None, None)
    )
    confirmation = Confirmation(parts.hasher, parts.lockout, audit, config)
    return Services(
        registration=Registration(
            users=users,
            pending=parts.backend.pending,
            hasher=parts.hasher,
            policy=policy,
            confirmation=confirmation,
            notices=parts.notices,
            background=parts.background,
            limits=limits,
            audit=audit,
            events=events,
            clock=clock,
            config=config,
        ),
        login=Login(users, parts.hasher, parts.lockout, limits, second_factor, admission, audit, config),
        second_factor=second_factor,
        phone=phone,
        sessions=sessions,
        passwords=Passwords(
            users=users,
            hasher=parts.hasher,
            policy=policy,
            reauthentication=again,
            sessions=sessions,
            lockout=parts.lockout,
            notices=parts.notices,
            background=parts.background,
            limits=limits,
            audit=audit,
            events=events,
            clock=clock,
            config=config,
        ),
        email_change=EmailChange(
            users=users,
            reauthentication=again,
            confirmation=confirmation,
            notices=parts.notices,
            background=parts.background,
            limits=limits,
            audit=audit,
            events=events,
            clock=clock,
            keys=parts.keys,
            config=config,
        ),
        accounts=Accounts(users, again, limits, audit, events),
        administration=Administration(users, parts.backend.pending, audit, events),
        oauth=_make_oauth(parts, admission, again, second_factor) if config.enable_oauth else None,
    )


def _make_second_factor(
    parts: Parts, admission: Admission, again: Reauthentication
) -> tuple[SecondFactor, Phone]:
    load_phonenumbers()
    config, users = parts.config, parts.repositories.users
    codes = TextedCodes(
        parts.backend.mfa_codes,
        parts.keys,
        parts.jwt,
        parts.lockout,
        Texts(parts.texter, config.app_name),
        parts.clock,
        config,
    )
    second_factor = SecondFactor(
        users,
        codes,
        admission,
        parts.limits,
        parts.audit,
        parts.events,
        require_verification=config.require_verification,
    )
    return second_factor, Phone(
        users, again, codes, parts.lockout, parts.notices, parts.limits, parts.audit, parts.events
    )


def _make_oauth(
    parts: Parts, admission: Admission, again: Reauthentication, second_factor: SecondFactor | None
) -> OAuth:
    # Loaded where it is switched on.
    from regstack.services.oauth import OAuth  # noqa: PLC0415
    from regstack.services.oauth_accounts import OAuthAccounts  # noqa: PLC0415
    from regstack.services.oauth_exchange import OAuthExchange  # noqa: PLC0415
    from regstack.services.oauth_flow import OAuthFlow  # noqa: PLC0415

    config, clock, backend = parts.config, parts.clock, parts.backend
    given = parts.oauth_providers
    providers = given if given is not None else _make_providers(config, clock)
    accounts = OAuthAccounts(
        users=parts.repositories.users,
        pending=backend.pending,
        identities=backend.oauth_identities,
        providers=providers,
        throttle=parts.throttle,
        notices=parts.notices,
        audit=parts.audit,
        events=parts.events,
        clock=clock,
        config=config,
    )
    flow = OAuthFlow(
        states=backend.oauth_states,
        blacklist=parts.repositories.blacklist,
        providers=providers,
        accounts=accounts,
        reauthentication=again,
        throttle=parts.throttle,
        limits=parts.limits,
        keys=parts.keys,
        audit=parts.audit,
        events=parts.events,
        clock=clock,
        config=config,
    )
    exchange = OAuthExchange(
        parts.repositories.users,
        backend.oauth_states,
        backend.oauth_identities,
        accounts,
        admission,
        parts.limits,
        parts.events,
        clock,
        second_factor if config.oauth.enforce_mfa_on_oauth_signin else None,
    )
    return OAuth(providers=providers, accounts=accounts, flow=flow, exchange=exchange)


def make_key_ring(config: RegStackConfig) -> KeyRing:
    """Give the keys of the settings.

    Raises:
        ConfigurationError: `jwt_secret` is not set.
    """
    if config.jwt_secret is None:
        raise ConfigurationError(
            "jwt_secret is not set; run `regstack init`, or set REGSTACK_JWT_SECRET to the output of "
            "`openssl rand -base64 48`"
        )
    return KeyRing(
        config.jwt_secret.get_secret_value(),
        [secret.get_secret_value() for secret in config.jwt_secret_previous],
    )


def hashing_parameters(config: RegStackConfig) -> Argon2Parameters:
    """Give the cost of one password hash."""
    return parameters(
        config.password_hash_preset,
        memory_kib=config.password_hash_memory_kib,
        time_cost=config.password_hash_time_cost,
        parallelism=config.password_hash_parallelism,
    )


def make_password_hasher(config: RegStackConfig) -> PasswordHasher:
    """Give the hasher of the settings; its threads start when they are needed."""
    return PasswordHasher(
        hashing_parameters(config),
        threads=config.password_hash_threads,
        queue_size=config.password_hash_queue_size,
        hung_up=hung_up,
    )


def check_settings(config: RegStackConfig) -> None:
    """Say what of the settings alone, the key left aside, would stop the start.

    Raises:
        ConfigurationError: a setting cannot be read, lacks another, or needs a library that is
            not installed.
    """
    parse_limits(config)
    if config.enable_sms_2fa:
        load_phonenumbers()
    if config.enable_oauth:
        _make_providers(config, SystemClock())


def _make_providers(config: RegStackConfig, clock: Clock) -> Mapping[str, OAuthProvider]:
    from regstack.oauth.providers import make_providers  # noqa: PLC0415 - an extra, loaded where it is used

    return make_providers(config.oauth, clock)
