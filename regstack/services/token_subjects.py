"""What was read of the accounts that tokens speak for, kept for a moment."""

from __future__ import annotations

import sys
import time
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from regstack.backends.changes import ANYTHING
from regstack.services.change_listener import ChangeListener

if TYPE_CHECKING:
    from collections.abc import Callable

    from regstack.backends.changes import Change, ChangeFeed
    from regstack.backends.protocols import UserRepoProtocol
    from regstack.models.user import TokenSubject


@dataclass(slots=True, eq=False)
class _Entry:
    """Where the answer to one read is kept, unless the entry is taken away before it comes.

    Attributes:
        user_id: whose token it is.
        sent: when the read was sent; the answer cannot be older than that.
        subject: the answer; None until it is there.
    """

    user_id: str
    sent: float
    subject: TokenSubject | None = None


class TokenSubjects:
    """A bounded cache before `get_token_subject`.

    An answer is used for `keep_seconds` from when its read was sent, by a clock that never goes
    back; that alone bounds how long another process may accept what was revoked here. `forget`
    takes entries away, those of reads under way as well: an answer whose entry is gone is given to
    who asked for it, and not kept. So a read that a write may have overtaken leaves nothing behind.

    Misses are not joined here. A read that was sent may have seen what is no longer so, and what
    waits unsent is joined by the backend, if it can (`regstack.backends.coalescing`).

    Args:
        users: where it reads.
        keep_seconds: how long an answer is used.
        size: answers at the most; the oldest go first.
        feed: tells what other processes change, from the first use on, if there is one; it only
            shortens the time.
        elapsed: seconds that have passed since some moment.
    """

    def __init__(
        self,
        users: UserRepoProtocol,
        *,
        keep_seconds: float,
        size: int,
        feed: ChangeFeed | None = None,
        elapsed: Callable[[], float] | None = None,
    ) -> None:
        self._users = users
        self._keep_seconds = keep_seconds
        self._size = size
        self._listener = ChangeListener(feed, self.forget) if feed is not None else None
        self._closed = False
        self._elapsed = elapsed or _elapsed
        self._entries: OrderedDict[str, _Entry] = OrderedDict()  # by `jti`, in the order of `sent`
        self._tokens: dict[str, set[str]] = {}  # by account

    def __len__(self) -> int:
        return len(self._entries)

    def start(self) -> None:
        """Listen to what other processes change, on the running event loop."""
        self._closed = False
        if self._listener is not None:
            self._listener.start()

    async def aclose(self) -> None:
        """Stop listening, and do not begin again for a request that is still under way."""
        self._closed = True
        if self._listener is not None:
            await self._listener.aclose()

    async def get_token_subject(
        self, user_id: str, *, jti: str, sid: str | None = None
    ) -> TokenSubject | None:
        """Find the account that a token speaks for, and whether it was revoked, lately or now."""
        if not self._closed:
            self.start()
        now = self._elapsed()
        entry = self._entries.get(jti)
        if (
            entry is not None
            and entry.subject is not None
            and entry.user_id == user_id
            and self._is_good(entry, now)
        ):
            return entry.subject
        entry = self._prepare(jti, _Entry(user_id, now))
        subject = await self._users.get_token_subject(user_id, jti=jti, sid=sid)
        entry.subject = subject  # kept by this, if the entry is still one of `_entries`
        return subject

    def forget(self, change: Change) -> None:
        """Keep nothing that was read, or is just being read, of what changed."""
        if change == ANYTHING:
            self._entries.clear()
            self._tokens.clear()
        if change.jti is not None:
            self._take_away(change.jti)
        if change.user_id is not None:
            for jti in list(self._tokens.get(change.user_id, ())):
                self._take_away(jti)

    def _prepare(self, jti: str, entry: _Entry) -> _Entry:
        self._take_away(jti)
        while self._entries:
            oldest = next(iter(self._entries))
            if len(self._entries) < self._size and self._is_good(self._entries[oldest], entry.sent):
                break
            self._take_away(oldest)
        self._entries[jti] = entry
        self._tokens.setdefault(entry.user_id, set()).add(jti)
        return entry

    def _is_good(self, entry: _Entry, now: float) -> bool:
        return now - entry.sent < self._keep_seconds

    def _take_away(self, jti: str) -> None:
        entry = self._entries.pop(jti, None)
        if entry is None:
            return
        tokens = self._tokens[entry.user_id]
        tokens.discard(jti)
        if not tokens:
            del self._tokens[entry.user_id]


def _elapsed() -> float:
    """Seconds since some moment, those that the machine slept included where its system counts them."""
    if sys.platform == "linux":
        return time.clock_gettime(time.CLOCK_BOOTTIME)
    return time.monotonic()
