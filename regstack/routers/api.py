"""All JSON routes of one instance."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import APIRouter

from regstack.routers.account import account_router
from regstack.routers.admin import admin_router
from regstack.routers.passwords import passwords_router
from regstack.routers.registration import registration_router
from regstack.routers.sessions import sessions_router

if TYPE_CHECKING:
    from regstack.config.schema import RegStackConfig
    from regstack.routers.dependencies import Dependencies
    from regstack.services.services import Services


def api_router(services: Services, deps: Dependencies, config: RegStackConfig) -> APIRouter:
    """Make the router that a host mounts at `api_prefix`; what is switched off is not in it."""
    router = APIRouter()
    router.include_router(registration_router(services.registration))
    router.include_router(sessions_router(services.login, services.sessions, deps))
    router.include_router(
        account_router(
            services.accounts, services.email_change, deps, deletion=config.enable_account_deletion
        )
    )
    router.include_router(passwords_router(services.passwords, deps, recovery=config.enable_password_reset))
    if config.enable_admin_router:
        router.include_router(admin_router(services.administration, services.registration, deps))
    return router
