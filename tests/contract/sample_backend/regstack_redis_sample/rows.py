"""Domain values as fields of Redis hashes."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import fields
from typing import Any, Generic, TypeVar

from regstack.models.instant import from_milliseconds, to_milliseconds
from regstack.models.mfa_code import MfaCode
from regstack.models.oauth_identity import OAuthIdentity
from regstack.models.oauth_state import OAuthState
from regstack.models.pending import PendingRegistration
from regstack.models.text import search_key
from regstack.models.user import User

T = TypeVar("T")


class Codec(Generic[T]):
    """Writes and reads one class of values.

    A hash holds texts only: moments as milliseconds, flags as 0 and 1. None is a field that is
    not there, which is another thing than an empty text.

    Args:
        make: the class, a dataclass.
        instants: its fields that are datetimes.
        flags: its fields that are booleans.
        numbers: its fields that are integers.
    """

    def __init__(
        self,
        make: Callable[..., T],
        *,
        instants: Collection[str] = (),
        flags: Collection[str] = (),
        numbers: Collection[str] = (),
    ) -> None:
        self._make = make
        self._names = [field.name for field in fields(make)]  # type: ignore[arg-type]
        self._writers: dict[str, Callable[[Any], str]] = {
            **dict.fromkeys(instants, lambda value: str(to_milliseconds(value))),
            **dict.fromkeys(flags, lambda value: "1" if value else "0"),
            **dict.fromkeys(numbers, str),
        }
        self._readers: dict[str, Callable[[str], Any]] = {
            **dict.fromkeys(instants, lambda text: from_milliseconds(int(text))),
            **dict.fromkeys(flags, lambda text: text == "1"),
            **dict.fromkeys(numbers, int),
        }

    def write(self, **values: Any) -> list[str]:
        """Give names and texts of the fields that are not None, one after the other."""
        flat: list[str] = []
        for name, value in values.items():
            if value is not None:
                flat += (name, self._writers.get(name, str)(value))
        return flat

    def write_all(self, value: T) -> list[str]:
        """Give names and texts of a value's fields, one after the other."""
        return self.write(**{name: getattr(value, name) for name in self._names})

    def read(self, flat: Sequence[str]) -> T:
        """Make the value of names and texts; fields that are not the value's are left out."""
        texts = dict(zip(flat[::2], flat[1::2], strict=True))
        values = dict.fromkeys(self._names) | {
            name: self._readers.get(name, str)(texts[name]) for name in self._names if name in texts
        }
        return self._make(**values)

    def read_optional(self, flat: Sequence[str] | None) -> T | None:
        """Make the value, or None of nothing."""
        return self.read(flat) if flat else None


USERS = Codec(
    User,
    instants=(
        "created_at",
        "updated_at",
        "last_login",
        "tokens_invalidated_after",
        "reset_expires_at",
        "change_expires_at",
    ),
    flags=("is_active", "is_verified", "is_superuser", "is_mfa_enabled"),
    numbers=("token_version",),
)
PENDING = Codec(PendingRegistration, instants=("created_at", "expires_at"), flags=("for_account",))
CODES = Codec(MfaCode, instants=("created_at", "expires_at"), numbers=("max_attempts", "attempts"))
IDENTITIES = Codec(OAuthIdentity, instants=("linked_at", "last_used_at"))
STATES = Codec(
    OAuthState,
    instants=("created_at", "expires_at"),
    flags=("was_new_account",),
    numbers=("result_token_version",),
)


def folded(name: str | None) -> list[str]:
    """Give the field by which a name is searched."""
    return [] if name is None else ["name_key", search_key(name)]


def optional(version: int | None) -> str:
    """Give the text for a `token_version` that may be missing."""
    return "" if version is None else str(version)
