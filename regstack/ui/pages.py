"""All pages of one instance."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import APIRouter

from regstack.ui.account import account_pages
from regstack.ui.passwords import passwords_pages
from regstack.ui.registration import registration_pages
from regstack.ui.route import page_route
from regstack.ui.sessions import sessions_pages
from regstack.ui.site import Site

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from regstack.config.schema import RegStackConfig
    from regstack.services.services import Services


def ui_router(
    services: Services, config: RegStackConfig, template_dirs: Sequence[Path] | None = None
) -> APIRouter:
    """Make the router that a host mounts at `ui_prefix`.

    Args:
        services: the use cases.
        config: the settings.
        template_dirs: folders of the host's templates, best first; read at every page, so that
            it may grow. Without it, `config.extra_template_dirs`.

    Raises:
        ConfigurationError: a URL among the settings cannot be used on the pages.
    """
    labels = services.oauth.labels if services.oauth is not None else {}
    site = Site(config, config.extra_template_dirs if template_dirs is None else template_dirs, labels)
    router = APIRouter(route_class=page_route(site, config), include_in_schema=False)
    registration_pages(router, site, services, config)
    sessions_pages(router, site, services)
    passwords_pages(router, site, services, recovery=config.enable_password_reset)
    account_pages(router, site, services, deletion=config.enable_account_deletion)
    return router
