"""Every text message that regstack sends, and to which number it goes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from regstack.email.composer import duration
from regstack.models.line import one_line
from regstack.sms.service import SmsMessage

if TYPE_CHECKING:
    from datetime import timedelta

    from regstack.services.texter import Texter

LONGEST_NAME = 40
"""Characters of the application's name in a text, which has 160 in all."""


class Texts:
    """Queues texts to numbers that are stored with an account, or being set up for one.

    Args:
        texter: sends them.
        app_name: who the texts say they are from.
    """

    def __init__(self, texter: Texter, app_name: str) -> None:
        self._texter = texter
        self._app_name = one_line(app_name, LONGEST_NAME)

    def login_code(self, number: str, code: str, expires_in: timedelta) -> None:
        """Send the code that finishes a sign-in."""
        text = (
            f"{code} is your code to sign in to {self._app_name}, good for {duration(expires_in)}. "
            "Nobody will ask you for it. If that was not you, change your password."
        )
        self._post(SmsMessage(number, text), kind="login_code")

    def phone_code(self, number: str, code: str, expires_in: timedelta) -> None:
        """Send the code that confirms a number."""
        text = (
            f"{code} is your code to confirm this phone for {self._app_name}, good for "
            f"{duration(expires_in)}. Nobody will ask you for it: do not pass it on."
        )
        self._post(SmsMessage(number, text), kind="phone_code")

    def _post(self, message: SmsMessage, *, kind: str) -> None:
        self._texter.post(lambda: message, kind=kind)
