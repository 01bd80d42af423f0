"""Every mail that regstack sends, and to which stored address it goes."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import timedelta

    from regstack.email.composer import MailComposer
    from regstack.models.pending import PendingRegistration
    from regstack.models.user import User
    from regstack.services.mailer import Mailer


class Notices:
    """Queues mails to addresses that are stored with an account or a registration.

    No method takes a recipient from a request, save the new address of an email change, which
    was stored with the token it is mailed (CVE-2019-19844). Nothing is composed before the
    answer is on its way.
    """

    def __init__(self, composer: MailComposer, mailer: Mailer) -> None:
        self._composer = composer
        self._mailer = mailer

    def verification(self, pending: PendingRegistration, token: str, expires_in: timedelta) -> None:
        """Ask a new registration to confirm its address."""
        self._mailer.post(
            lambda: self._composer.verification(
                to=pending.email, full_name=pending.full_name, token=token, expires_in=expires_in
            ),
            kind="verification",
        )

    def already_registered(self, user: User) -> None:
        """Tell an owner that somebody registered with the address again (quiet registration)."""
        self._mailer.post(
            lambda: self._composer.already_registered(to=user.email, full_name=user.full_name),
            kind="already_registered",
        )

    def password_reset(self, user: User, token: str, expires_in: timedelta) -> None:
        """Send the link by which a forgotten password is replaced."""
        self._mailer.post(
            lambda: self._composer.password_reset(
                to=user.email, full_name=user.full_name, token=token, expires_in=expires_in
            ),
            kind="password_reset",
        )

    def password_changed(self, user: User) -> None:
        """Tell the owner that the password is another now."""
        self._mailer.post(
            lambda: self._composer.password_changed(to=user.email, full_name=user.full_name),
            kind="password_changed",
        )

    def mfa_enabled(self, user: User, phone_hint: str) -> None:
        """Tell the owner that signing in asks for a code now, and by which phone."""
        self._mailer.post(
            lambda: self._composer.mfa_enabled(
                to=user.email, full_name=user.full_name, phone_hint=phone_hint
            ),
            kind="mfa_enabled",
        )

    def mfa_disabled(self, user: User) -> None:
        """Tell the owner that signing in asks for the password alone now."""
        self._mailer.post(
            lambda: self._composer.mfa_disabled(to=user.email, full_name=user.full_name),
            kind="mfa_disabled",
        )

    def provider_linked(self, user: User, provider: str) -> None:
        """Tell the owner that an external provider opens the account now; by the provider's label."""
        self._mailer.post(
            lambda: self._composer.provider_linked(
                to=user.email, full_name=user.full_name, provider=provider
            ),
            kind="provider_linked",
        )

    def provider_unlinked(self, user: User, provider: str) -> None:
        """Tell the owner that an external provider does not open the account any more."""
        self._mailer.post(
            lambda: self._composer.provider_unlinked(
                to=user.email, full_name=user.full_name, provider=provider
            ),
            kind="provider_unlinked",
        )

    def email_change(self, user: User, new_address: str, token: str, expires_in: timedelta) -> None:
        """Ask the new address to confirm the change."""
        self._mailer.post(
            lambda: self._composer.email_change(
                to=new_address, full_name=user.full_name, token=token, expires_in=expires_in
            ),
            kind="email_change",
        )

    def email_change_notice(self, user: User, new_address: str) -> None:
        """Tell the present address that a change was asked for."""
        self._mailer.post(
            lambda: self._composer.email_change_notice(
                to=user.email, full_name=user.full_name, new_address=new_address
            ),
            kind="email_change_notice",
        )
