"""The use cases of one instance, for those who route to them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from regstack.services.accounts import Accounts
    from regstack.services.administration import Administration
    from regstack.services.email_change import EmailChange
    from regstack.services.login import Login
    from regstack.services.oauth import OAuth
    from regstack.services.passwords import Passwords
    from regstack.services.phone import Phone
    from regstack.services.registration import Registration
    from regstack.services.second_factor import SecondFactor
    from regstack.services.sessions import Sessions


@dataclass(frozen=True, slots=True)
class Services:
    """Every use case, made once by `regstack.app.RegStack`; one that is switched off is None."""

    registration: Registration
    login: Login
    second_factor: SecondFactor | None
    phone: Phone | None
    sessions: Sessions
    passwords: Passwords
    email_change: EmailChange
    accounts: Accounts
    administration: Administration
    oauth: OAuth | None
