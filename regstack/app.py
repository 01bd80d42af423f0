"""`RegStack`: one instance, as a host sees it."""

from __future__ import annotations

import time
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeVar, cast, overload

from regstack.assembly import (
    Parts,
    make_key_ring,
    make_password_hasher,
    make_services,
    make_token_repositories,
)
from regstack.auth.clock import SystemClock
from regstack.auth.tokens import JwtCodec
from regstack.config.schema import RegStackConfig
from regstack.email.composer import MailComposer
from regstack.errors import ConfigurationError
from regstack.routers.api import api_router
from regstack.routers.dependencies import Dependencies
from regstack.services.audit import Audit
from regstack.services.background import BackgroundQueue
from regstack.services.events import EventHooks
from regstack.services.limits import Limits
from regstack.services.lockout import Lockout
from regstack.services.mailer import Mailer
from regstack.services.notices import Notices
from regstack.services.sweeper import Sweeper
from regstack.services.texter import Texter
from regstack.services.throttle import Throttle

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import TracebackType

    from fastapi import APIRouter
    from starlette.staticfiles import StaticFiles

    from regstack.auth.clock import Clock
    from regstack.backends.base import Backend, SchemaReport
    from regstack.backends.protocols import (
        MfaCodeRepoProtocol,
        OAuthIdentityRepoProtocol,
        OAuthStateRepoProtocol,
    )
    from regstack.email.service import EmailService
    from regstack.models.user import User
    from regstack.oauth.provider import OAuthProvider
    from regstack.plugins.registry import PluginRegistry
    from regstack.services.events import Handler
    from regstack.services.oauth import OAuth
    from regstack.sms.service import SmsService

H = TypeVar("H", bound="Callable[..., Any]")

MAIL_WORKERS = 4
"""Mails that one instance sends at the same time."""

SMS_WORKERS = 4
"""Text messages that one instance sends at the same time."""


class RegStack:
    """User accounts, in one database, for one application.

    The constructor does no I/O and starts nothing; connections are made at first use. Two
    instances share nothing, unless they are given the same backend.

    Args:
        config: the settings; without them `RegStackConfig.load()`.
        backend: storage, if not the plugin that `config.database_url` names. One that is passed
            in is not closed by `aclose`.
        clock: where the time comes from.
        email_service: the mail transport, if not the one that `config.email` names.
        mail_composer: what words mails, if not the shipped templates.
        sms_service: the text-message transport, if not the one that `config.sms` names.
        oauth_providers: external providers by name, if not those that `config.oauth` names.

    Attributes:
        config: the settings.
        clock: the clock.
        backend: the storage.
        users, pending, blacklist, attempts, mfa_codes, oauth_identities, oauth_states: its
            repositories; one that the backend lacks raises `UnsupportedCapability`.
        password_hasher: hashes and checks passwords off the event loop.
        jwt: signs and checks tokens.
        lockout: counts guesses.
        email: the mail transport.
        sms: the text-message transport.
        mail: words mails.
        hooks: events and their handlers; `on` registers one.
        deps: FastAPI dependencies: `current_user()`, `current_user_optional()`, `current_admin()`.
        services: the use cases behind the routes.

    Raises:
        ConfigurationError: settings are missing or contradict each other.
        UnsupportedCapability: a switch is on that needs what the backend lacks.
        PluginError: no usable plugin takes the database URL, or has the name of a transport.
    """

    def __init__(
        self,
        config: RegStackConfig | None = None,
        backend: Backend | None = None,
        clock: Clock | None = None,
        email_service: EmailService | None = None,
        mail_composer: MailComposer | None = None,
        sms_service: SmsService | None = None,
        oauth_providers: Mapping[str, OAuthProvider] | None = None,
    ) -> None:
        self.config = config = config if config is not None else RegStackConfig.load()
        self.clock = clock = clock if clock is not None else SystemClock()
        keys = make_key_ring(config)

        self._registry = _discover() if backend is None else None
        self.backend = backend or cast("PluginRegistry", self._registry).create_backend(config, clock)
        repositories = make_token_repositories(config, self.backend)
        self._recent = repositories.recent
        self.users = repositories.users
        self.pending = self.backend.pending
        self.blacklist = repositories.blacklist
        self.attempts = self.backend.attempts

        self.password_hasher = make_password_hasher(config)
        self.jwt = JwtCodec(keys, clock, algorithm=config.jwt_algorithm, audience=config.jwt_audience)
        self._audit = Audit(keys)
        waiting = config.background_queue_size
        self._background = BackgroundQueue(name="background", capacity=waiting)
        # Apart, so that a storm of sign-ins does not crowd out what leads to a mail.
        place_queue = BackgroundQueue(name="places", capacity=waiting)
        throttle = Throttle(self.attempts, self.users, keys, clock, place_queue)
        self.lockout = Lockout(throttle, self._audit, config)

        self.mail = mail_composer if mail_composer is not None else MailComposer(config)
        self._template_dirs = list(config.extra_template_dirs)
        event_queue = BackgroundQueue(name="events", capacity=waiting)
        mail_queue = BackgroundQueue(name="mail", capacity=config.email.queue_size, workers=MAIL_WORKERS)
        sms_queue = BackgroundQueue(name="sms", capacity=config.sms.queue_size, workers=SMS_WORKERS)
        # In the order in which they feed each other.
        self._queues = [place_queue, self._background, event_queue, mail_queue, sms_queue]
        if repositories.announcements is not None:
            self._queues.append(repositories.announcements)
        email_service, sms_service = _transports(config, email_service, sms_service)
        self._mailer = Mailer(mail_queue, email_service, config.email)
        self._texter = Texter(sms_queue, sms_service, config.sms)
        self.hooks = EventHooks(event_queue)
        self.services = make_services(
            Parts(
                config=config,
                clock=clock,
                keys=keys,
                backend=self.backend,
                repositories=repositories,
                hasher=self.password_hasher,
                jwt=self.jwt,
                audit=self._audit,
                throttle=throttle,
                lockout=self.lockout,
                limits=Limits(throttle, self._audit, config),
                notices=Notices(self.mail, self._mailer),
                texter=self._texter,
                background=self._background,
                events=self.hooks,
                oauth_providers=oauth_providers,
            )
        )
        self._sweeper = Sweeper(
            self.backend.purge_expired, self.attempts, clock, seconds=config.purge_interval_seconds
        )
        self.deps = Dependencies(self.services.sessions)

    @property
    def mfa_codes(self) -> MfaCodeRepoProtocol:
        """The backend's repository of one-time codes."""
        return self.backend.mfa_codes

    @property
    def oauth_identities(self) -> OAuthIdentityRepoProtocol:
        """The backend's repository of external identities."""
        return self.backend.oauth_identities

    @property
    def oauth_states(self) -> OAuthStateRepoProtocol:
        """The backend's repository of authorisation flows."""
        return self.backend.oauth_states

    @property
    def oauth(self) -> OAuth:
        """Social sign-in; needs `enable_oauth`.

        Raises:
            ConfigurationError: it is switched off.
        """
        if self.services.oauth is None:
            raise ConfigurationError("social sign-in is switched off; set enable_oauth = true")
        return self.services.oauth

    @property
    def email(self) -> EmailService:
        """The mail transport."""
        return self._mailer.service

    @property
    def sms(self) -> SmsService:
        """The text-message transport."""
        return self._texter.service

    @cached_property
    def router(self) -> APIRouter:
        """The JSON routes, to be mounted at `config.api_prefix`."""
        return api_router(self.services, self.deps, self.config)

    @cached_property
    def ui_router(self) -> APIRouter:
        """The pages, to be mounted at `config.ui_prefix`; needs `enable_ui_router`.

        Raises:
            ConfigurationError: the pages are switched off.
        """
        from regstack.ui.pages import ui_router  # noqa: PLC0415 - only those who show pages load them

        if not self.config.enable_ui_router:
            raise ConfigurationError("the pages are switched off; set enable_ui_router = true")
        return ui_router(self.services, self.config, self._template_dirs)

    @cached_property
    def static_files(self) -> StaticFiles:
        """Stylesheet of the pages, an ASGI application to be mounted at `config.static_prefix`."""
        from regstack.ui.assets import static_files  # noqa: PLC0415 - only those who show pages load them

        return static_files()

    async def install_schema(self) -> SchemaReport:
        """Bring the schema up to date; safe from many processes at once, on every start."""
        if self._registry is None:
            return await self.backend.install_schema()
        return await self._registry.install_schema(self.backend)

    async def aclose(self, seconds: float = 10.0) -> None:
        """Finish what is queued, within `seconds` in all, and close what this instance opened."""
        until = time.monotonic() + seconds
        await self._sweeper.aclose()
        for queue in self._queues:
            await queue.aclose(max(0.0, until - time.monotonic()))
        self.password_hasher.close()
        await self._mailer.aclose()
        await self._texter.aclose()
        if self._recent is not None:
            await self._recent.aclose()
        if self.services.oauth is not None:
            await self.services.oauth.aclose()
        if self._registry is not None:
            await self.backend.aclose()

    async def drain(self, seconds: float = 10.0) -> bool:
        """Wait until all work after the answers is done: mails sent, handlers run.

        For tests and scripts. Says whether everything was done in time.
        """
        until = time.monotonic() + seconds
        return all([await queue.join(max(0.0, until - time.monotonic())) for queue in self._queues])

    def counts(self) -> dict[str, dict[str, int]]:
        """Say what became of the work after the answers, in this process since it started.

        For the host's metrics; not for the public, since it tells whether a request led to a message.

        Returns:
            By queue (`places`, `background`, `events`, `mail`, `sms`, and `changes` where other
            processes are told of changes): jobs `waiting`, `done`, `failed`, `dropped` (the queue was
            full) and `lost` (cut off at the end); for `mail` and `sms` also messages `sent` and
            `undeliverable` (given up).
        """
        names = ("waiting", "done", "failed", "dropped", "lost")
        counts = {queue.name: {name: getattr(queue, name) for name in names} for queue in self._queues}
        for name, courier in (("mail", self._mailer), ("sms", self._texter)):
            counts[name] |= {"sent": courier.sent, "undeliverable": courier.undeliverable}
        return counts

    async def bootstrap_admin(self, email: str, password: str) -> User:
        """Make sure that there is an administrator with this address.

        An account that exists is promoted. A confirmed one keeps its password, another gets this
        one. May run on every start.

        Raises:
            InvalidEmail: mail cannot be sent to the address.
            PasswordRejected: the password breaks the policy.
            AccountDisabled: the account exists and is disabled.
            UserAlreadyExistsError: the account is being changed elsewhere at this moment.
            Overloaded: too many passwords are being hashed already.
        """
        return await self.services.registration.create_superuser(email, password)

    async def promote_pending(self, email: str) -> User | None:
        """Confirm a pending registration without its mail; None where there is none."""
        return await self.services.registration.promote(email)

    def add_template_dir(self, path: str | Path) -> None:
        """Put a folder of templates before all others."""
        self.mail.add_template_dir(path)
        self._template_dirs.insert(0, Path(path))

    def set_email_backend(self, service: EmailService) -> None:
        """Replace the mail transport."""
        self._mailer.service = service

    def set_sms_backend(self, service: SmsService) -> None:
        """Replace the text-message transport."""
        self._texter.service = service

    @overload
    def on(self, event: str) -> Callable[[H], H]: ...
    @overload
    def on(self, event: str, handler: Handler) -> Handler: ...
    def on(self, event: str, handler: Handler | None = None) -> Any:
        """Call `handler` with keyword arguments after each `event`; also a decorator.

        Raises:
            ConfigurationError: there is no such event.
        """
        return self.hooks.on(event, handler)

    async def __aenter__(self) -> Self:
        try:
            await self.install_schema()
            if self._recent is not None:
                self._recent.start()
        except BaseException:
            await self.aclose()
            raise
        self._sweeper.start()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()


def _discover() -> PluginRegistry:
    from regstack.plugins.registry import PluginRegistry  # noqa: PLC0415 - not needed with a backend passed in

    return PluginRegistry.discover()


def _transports(
    config: RegStackConfig, email_service: EmailService | None, sms_service: SmsService | None
) -> tuple[EmailService, SmsService]:
    """Let plugins build what the host has not passed in."""
    if email_service is not None and sms_service is not None:
        return email_service, sms_service
    from regstack.plugins.transports import TransportRegistry  # noqa: PLC0415 - not needed with both passed in

    registry = TransportRegistry.discover()
    return (
        email_service if email_service is not None else registry.create_email_service(config.email),
        sms_service if sms_service is not None else registry.create_sms_service(config.sms),
    )
