"""What the mails of regstack say."""

from __future__ import annotations

import re
import unicodedata
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from regstack.email.links import MailLinks
from regstack.email.message import LONGEST_HEADER, MailMessage
from regstack.errors import ConfigurationError
from regstack.models.line import one_line

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import timedelta

    import jinja2

    from regstack.config.schema import RegStackConfig

TEMPLATES = Path(__file__).parent / "templates"
"""The shipped templates: of each mail `<name>.subject.txt`, `<name>.txt` and `<name>.html`."""

LONGEST_NAME = 80
"""Characters of a person's name in a mail."""

_LIKE_A_LINK = re.compile(r"[/\\:@]|\S[.\u3002\uff0e\u2024\uff61]\S")


class MailComposer:
    """Words every mail, as text and HTML, from templates.

    A host replaces a template by a file of the same name in a folder `email` of a template
    directory: `my_templates/email/verification.txt`. Templates see `app_name`, `base_url`,
    `subject` (not in subjects themselves), `full_name` (None where there is no name that is fit
    to be shown), and what the method of the mail names in its own docstring.

    Args:
        config: names, links and `extra_template_dirs`.
        template_dirs: template directories that go before those of the settings.

    Raises:
        ConfigurationError: a template directory does not exist.
    """

    def __init__(self, config: RegStackConfig, template_dirs: Sequence[str | Path] = ()) -> None:
        self._links = MailLinks(config)
        self._app_name = one_line(config.app_name, LONGEST_NAME)
        self._base_url = config.base_url
        self._sender_name = one_line(config.email.from_name or config.app_name, LONGEST_HEADER)
        self._host_dirs = [_directory(path) for path in (*template_dirs, *config.extra_template_dirs)]

    def add_template_dir(self, path: str | Path) -> None:
        """Put a template directory before all others.

        Raises:
            ConfigurationError: it does not exist.
        """
        self._host_dirs.insert(0, _directory(path))
        vars(self).pop("_templates", None)

    @cached_property
    def _templates(self) -> jinja2.Environment:
        import jinja2  # noqa: PLC0415 - a start needs none, and many processes never send a mail

        shipped = jinja2.PrefixLoader({"email": jinja2.FileSystemLoader(TEMPLATES)})
        return jinja2.Environment(
            loader=jinja2.ChoiceLoader([jinja2.FileSystemLoader(self._host_dirs), shipped]),
            autoescape=jinja2.select_autoescape(enabled_extensions=("html",), default=False),
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )

    def verification(
        self, to: str, *, full_name: str | None, token: str, expires_in: timedelta
    ) -> MailMessage:
        """Ask to confirm the address of a registration; templates see `link` and `expires_in`."""
        return self._compose(
            "verification",
            to,
            full_name,
            link=self._links.verify(token),
            expires_in=duration(expires_in),
        )

    def already_registered(self, to: str, *, full_name: str | None) -> MailMessage:
        """Tell an owner that somebody registered with the address again."""
        return self._compose("already_registered", to, full_name)

    def password_reset(
        self, to: str, *, full_name: str | None, token: str, expires_in: timedelta
    ) -> MailMessage:
        """Send the link to a new password; templates see `link` and `expires_in`."""
        return self._compose(
            "password_reset",
            to,
            full_name,
            link=self._links.reset(token),
            expires_in=duration(expires_in),
        )

    def password_changed(self, to: str, *, full_name: str | None) -> MailMessage:
        """Tell an owner that the password is another now."""
        return self._compose("password_changed", to, full_name)

    def mfa_enabled(self, to: str, *, full_name: str | None, phone_hint: str) -> MailMessage:
        """Tell an owner that signing in asks for a code by text; templates see `phone_hint`."""
        return self._compose("mfa_enabled", to, full_name, phone_hint=phone_hint)

    def mfa_disabled(self, to: str, *, full_name: str | None) -> MailMessage:
        """Tell an owner that signing in asks for the password alone."""
        return self._compose("mfa_disabled", to, full_name)

    def provider_linked(self, to: str, *, full_name: str | None, provider: str) -> MailMessage:
        """Tell an owner of a new way into the account; templates see `provider`, its label."""
        return self._compose("provider_linked", to, full_name, provider=one_line(provider, LONGEST_NAME))

    def provider_unlinked(self, to: str, *, full_name: str | None, provider: str) -> MailMessage:
        """Tell an owner that a way into the account is gone; templates see `provider`, its label."""
        return self._compose("provider_unlinked", to, full_name, provider=one_line(provider, LONGEST_NAME))

    def email_change(
        self, to: str, *, full_name: str | None, token: str, expires_in: timedelta
    ) -> MailMessage:
        """Ask a new address to confirm the change; templates see `link` and `expires_in`."""
        return self._compose(
            "email_change",
            to,
            full_name,
            link=self._links.confirm_email_change(token),
            expires_in=duration(expires_in),
        )

    def email_change_notice(self, to: str, *, full_name: str | None, new_address: str) -> MailMessage:
        """Tell the present address that a change was asked for, without a link that acts.

        Templates see `new_address`, all but its first letter and domain blotted out: the old
        mailbox may be shared, or no longer the owner's.
        """
        return self._compose("email_change_notice", to, full_name, new_address=_blot(new_address))

    def _compose(self, name: str, to: str, full_name: str | None, **variables: Any) -> MailMessage:
        variables |= {
            "app_name": self._app_name,
            "base_url": self._base_url,
            "full_name": _presentable(full_name),
        }
        subject = one_line(self._render(f"{name}.subject.txt", variables), LONGEST_HEADER)
        variables["subject"] = subject
        return MailMessage(
            to=to,
            subject=subject,
            text=self._render(f"{name}.txt", variables),
            html=self._render(f"{name}.html", variables),
            sender_name=self._sender_name,
        )

    def _render(self, name: str, variables: dict[str, Any]) -> str:
        return self._templates.get_template(f"email/{name}").render(variables).strip() + "\n"


def duration(value: timedelta) -> str:
    """Say a length of time in words: "30 minutes", "24 hours", "7 days".

    In the largest unit that leaves no rest, else rounded down, so that no link dies early.
    """
    seconds = max(int(value.total_seconds()), 0)
    units = (("day", 86400, 2), ("hour", 3600, 1), ("minute", 60, 1))
    fitting = [(unit, size) for unit, size, least in units if seconds >= size * least and seconds % size == 0]
    unit, size = fitting[0] if fitting else ("minute", 60) if seconds > 120 else ("second", 1)
    count = seconds // size
    return f"{count} {unit}" if count == 1 else f"{count} {unit}s"


def _presentable(full_name: str | None) -> str | None:
    """A name for the greeting, or None.

    Anybody may register a stranger's address, under any name; a name that reads like a link or
    an address would make regstack carry it to the stranger.
    """
    name = one_line(full_name or "", LONGEST_NAME)
    folded = unicodedata.normalize("NFKC", name)
    seen = "".join(each for each in folded if unicodedata.category(each) != "Cf")
    return name if name and not _LIKE_A_LINK.search(seen) else None


def _blot(address: str) -> str:
    local, _, domain = one_line(address, 400).rpartition("@")
    return f"{local[:1]}…@{domain}"


def _directory(path: str | Path) -> str:
    if not Path(path).is_dir():
        raise ConfigurationError(f"the template directory {one_line(path)} does not exist")
    return str(path)
