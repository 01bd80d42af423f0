"""A complete application around one `RegStack`, for `regstack serve`."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from fastapi import FastAPI
from starlette.responses import JSONResponse, RedirectResponse

from regstack.app import RegStack
from regstack.config.schema import RegStackConfig
from regstack.errors import BackendError
from regstack.routers.errors import RETRY_AFTER_SECONDS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from regstack.email.service import EmailService
    from regstack.sms.service import SmsService


def build_application(
    config: RegStackConfig,
    *,
    email_service: EmailService | None = None,
    sms_service: SmsService | None = None,
    on_start: Callable[[RegStack], Awaitable[None]] | None = None,
    documentation: bool = False,
) -> FastAPI:
    """Mount everything that the settings switch on, beside `/healthz`.

    Args:
        config: the settings.
        email_service: the mail transport, if not the one that `config.email` names.
        sms_service: the text-message transport, if not the one that `config.sms` names.
        on_start: called once the schema is up to date, before the first request.
        documentation: serve `/docs` and `/openapi.json`. The page loads scripts of a third party,
            on the origin where people sign in: for demonstrations only.

    Raises:
        ConfigurationError: settings are missing or contradict each other.
        PluginError: no usable plugin takes the database URL.
    """
    rs = RegStack(config=config, email_service=email_service, sms_service=sms_service)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with rs:
            if on_start is not None:
                await on_start(rs)
            yield

    app = FastAPI(
        title=config.app_name,
        lifespan=lifespan,
        openapi_url="/openapi.json" if documentation else None,
    )
    app.include_router(rs.router, prefix=config.api_prefix)
    entrance = "/docs" if documentation else "/healthz"
    if config.enable_ui_router:
        app.include_router(rs.ui_router, prefix=config.ui_prefix)
        app.mount(config.static_prefix, rs.static_files, name="regstack-static")
        entrance = f"{config.ui_prefix}/login"

    @app.get("/", include_in_schema=False)
    async def enter() -> RedirectResponse:
        return RedirectResponse(entrance, status_code=303)

    @app.get("/healthz", include_in_schema=False)
    async def health() -> JSONResponse:
        """Say whether the database answers."""
        try:
            await rs.backend.ping()
        except BackendError:
            return JSONResponse(
                {"status": "unavailable"}, status_code=503, headers={"Retry-After": str(RETRY_AFTER_SECONDS)}
            )
        return JSONResponse({"status": "ok"})

    return app


def from_environment() -> FastAPI:
    """Build the application of the settings files that the environment names; for worker processes."""
    return build_application(RegStackConfig.load())
