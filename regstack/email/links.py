"""The links in mails."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

if TYPE_CHECKING:
    from regstack.config.schema import RegStackConfig


class MailLinks:
    """Builds links from the settings alone, never from a request (CVE-2026-48710).

    Args:
        config: `base_url`, `email_link_prefix`, `ui_prefix` and the `*_url_template` settings.
    """

    def __init__(self, config: RegStackConfig) -> None:
        self._base_url = config.base_url
        prefix = config.ui_prefix if config.email_link_prefix is None else config.email_link_prefix
        page = "{base_url}" + prefix
        self._verify = config.verify_url_template or f"{page}/verify?token={{token}}"
        self._reset = config.password_reset_url_template or f"{page}/reset?token={{token}}"
        self._email_change = (
            config.email_change_url_template or f"{page}/confirm-email-change?token={{token}}"
        )

    def verify(self, token: str) -> str:
        """The link that confirms a registration."""
        return self._fill(self._verify, token)

    def reset(self, token: str) -> str:
        """The link under which a new password is set."""
        return self._fill(self._reset, token)

    def confirm_email_change(self, token: str) -> str:
        """The link that confirms a new address."""
        return self._fill(self._email_change, token)

    def _fill(self, template: str, token: str) -> str:
        # Literal replacement: str.format would read attributes and trip over other braces.
        return template.replace("{base_url}", self._base_url).replace("{token}", quote(token, safe=""))
