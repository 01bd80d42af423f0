"""How one process learns of changes that another one makes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator


@dataclass(frozen=True, slots=True)
class Change:
    """What is no longer as it was: an account, a token, or, where neither is named, perhaps anything.

    Attributes:
        user_id: the account that changed or went.
        jti: the token that was revoked.
    """

    user_id: str | None = None
    jti: str | None = None


ANYTHING = Change()
"""Whatever was read before may be out of date."""


class ChangeFeed(ABC):
    """The database's own way to tell other processes that something changed.

    It makes a process forget sooner, and no more is asked of it than that: nobody relies on a change
    being heard of, on its being heard of once, or on the order. Whoever can send on it can
    make others forget, and nothing else.
    """

    async def announce(self, change: Change) -> None:  # noqa: B027 - a server may tell by itself
        """Tell the other processes of a change that was made; called after the answer.

        Nothing is to be done where the server tells by itself.

        Raises:
            BackendError: it cannot be told.
        """

    @abstractmethod
    def listen(self) -> AsyncGenerator[Change, None]:
        """Listen to all processes, this one among them or not, on a connection of its own.

        The first thing that comes is `ANYTHING`, once no change from then on is missed. It raises
        as soon as it knows that it is cut off; silence alone is no sign of life, so it asks
        the server now and then. Where it ends and nothing came, there is nothing to listen to,
        on a server without the means for example, and nobody asks again.

        Raises:
            BackendError: listening ended, or could not begin.
        """
