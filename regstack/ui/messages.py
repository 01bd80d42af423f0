"""What the pages say besides their templates."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from regstack.errors import TooManyAttempts

if TYPE_CHECKING:
    from datetime import timedelta

    from fastapi import HTTPException

    from regstack.errors import RegStackError

NOTICES: dict[str, dict[str, str]] = {
    "login": {
        "registered": "Your account is ready. Sign in with your address and password.",
        "verified": "Your email address is confirmed. You can sign in now.",
        "reset": "Your password is changed, and every device is signed out. Sign in with the new one.",
        "email-changed": "Your email address is changed, and every device is signed out. "
        "Sign in with the new one.",
        "signed-out": "You are signed out.",
        "sign-in": "Sign in to go on.",
        "code-over": "This code cannot be used any more. Sign in again, and we send you a new one.",
        "deleted": "The account is deleted.",
    },
    "verify": {
        "registered": "Nearly done: we sent a mail with a link to the address you gave.",
        "sent": "If an unconfirmed account waits under this address, a new link is on its way. "
        "Only the newest link works.",
    },
    "forgot": {
        "sent": "If there is an account with this address, a mail with a link is on its way. "
        "Only the newest link works.",
    },
    "me": {
        "verified": "Your email address is confirmed, and you are signed in.",
        "name": "Your name is saved.",
        "password": "Your password is changed. All other devices are signed out.",
        "email": "We sent a link to the new address. Your address changes when you open it.",
        "phone-code": "We sent a code to your phone. Write it below to finish.",
        "phone-over": "This code cannot be used any more. Give the number again, and we send a new one.",
        "phone": "From now on, signing in takes your password and a code from your phone.",
        "phone-removed": "Your phone is removed. Signing in takes your password alone.",
        "connected": "Connected. You can sign in with it from now on.",
        "disconnected": "Disconnected. It does not sign you in any more.",
    },
}
"""By page and by what was done, as it stands in the query after a redirect."""

OAUTH_ERRORS: dict[str, str] = {
    "access_denied": "You were not signed in there, so nothing happened here.",
    "second_factor_unavailable": "This account asks for a code by text message, which is switched off here.",
    "account_disabled": "This account is disabled.",
    "already_linked": "That account, or another one of the same provider, is connected already.",
    "email_in_use": "There is an account with this email address already. Sign in as you did before; "
    "then you can connect the two on the page of your account.",
    "email_unverified": "Your email address is not confirmed. Confirm it with the provider, or sign in "
    "another way.",
    "expired": "That took too long, was done already, or was begun in another browser. Begin again.",
    "provider_unavailable": "The provider cannot be reached at the moment. Try again, or sign in another "
    "way.",
    "registration_closed": "There is no account for you here, and new ones are not made.",
    "sign_in_failed": "Signing in with this provider did not work. Try again, or sign in another way.",
}
"""What a provider's answer came to, by the words of `regstack.services.oauth_flow.ERROR_WORDS`."""


def explain(error: RegStackError, answer: HTTPException) -> str:
    """Say in a sentence what went wrong.

    Args:
        error: what a service raised.
        answer: its HTTP form, whose detail hides what is not for people outside.
    """
    if isinstance(error, TooManyAttempts):
        return f"Too many attempts. Try again {wait(error.retry_after)}."
    return sentence(answer.detail if isinstance(answer.detail, str) else str(error))


def sentence(text: str) -> str:
    """Begin with a capital and end with a full stop."""
    text = text.strip()
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", "!", "?")) else ".")


def wait(duration: timedelta) -> str:
    """Say how long to wait, in whole minutes."""
    minutes = max(1, math.ceil(duration.total_seconds() / 60))
    return "in a minute" if minutes == 1 else f"in {minutes} minutes"


def explain_field(problem: Any) -> str:
    """Say what is wrong with a field, from one of pydantic's error details."""
    limits = problem.get("ctx", {})
    match problem["type"]:
        case "string_too_short" | "too_short":
            least = limits["min_length"]
            return "Fill this in." if not problem["input"] else f"Write at least {least} characters."
        case "string_too_long" | "too_long":
            return f"Write at most {limits['max_length']} characters."
        case "literal_error":
            return "Tick the box to go on."
        case _:
            return sentence(problem["msg"].removeprefix("Value error, "))
