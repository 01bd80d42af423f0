"""All JSON routes of one instance."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from fastapi import APIRouter

from regstack.routers.account import account_router
from regstack.routers.admin import admin_router
from regstack.routers.passwords import passwords_router
from regstack.routers.registration import registration_router
from regstack.routers.route import api_route
from regstack.routers.second_factor import second_factor_router
from regstack.routers.sessions import sessions_router

if TYPE_CHECKING:
    from fastapi.routing import APIRoute

    from regstack.config.schema import RegStackConfig
    from regstack.routers.dependencies import Dependencies
    from regstack.services.services import Services


def api_router(services: Services, deps: Dependencies, config: RegStackConfig) -> APIRouter:
    """Make the router that a host mounts at `api_prefix`; what is switched off is not in it."""
    route = api_route(config)
    routers = [
        # `/me` first, since FastAPI tries route after route, and no other is asked for as often.
        account_router(
            route, services.accounts, services.email_change, deps, deletion=config.enable_account_deletion
        ),
        sessions_router(route, services.login, services.sessions, deps),
        registration_router(route, services.registration),
        passwords_router(route, services.passwords, deps, recovery=config.enable_password_reset),
    ]
    if services.second_factor is not None and services.phone is not None:
        routers.append(second_factor_router(route, services.second_factor, services.phone, deps))
    if config.enable_admin_router:
        routers.append(admin_router(route, services.administration, services.registration, deps))
    if services.oauth is not None:
        from regstack.routers.oauth import oauth_router  # noqa: PLC0415 - loaded where it is switched on

        routers.append(oauth_router(route, services.oauth, deps, config))
    routes = [cast("APIRoute", each) for router in routers for each in router.routes]
    for each in routes:
        each.operation_id = f"{config.operation_id_prefix}{each.operation_id}"
    # One router, and not one that includes others: each level would be searched once more for every request.
    return APIRouter(routes=[*routes])
