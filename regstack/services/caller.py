"""Who calls: what services may know of the request that they work for."""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from contextvars import Token
    from types import TracebackType


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a request comes from, as far as it can be believed.

    Attributes:
        address: the client's address; None where it is not known.
        network: what limits count it by (`regstack.auth.addresses.network_of`).
        device: what its browser keeps to be known again by; not to be believed by itself.
    """

    address: str | None = None
    network: str | None = None
    device: str | None = field(default=None, repr=False)


class Caller:
    """The other side of one request, and what the answer has to tell it.

    As a context manager, it is the current caller of all that is done inside.

    Args:
        find_origin: finds out where the request comes from. It is asked once, and only when somebody
            wants to know: few requests are counted by a limit or recorded by the audit.
        hung_up: gives a coroutine that ends once the client has hung up; None where that cannot be told.

    Attributes:
        address, network, device: of its `Origin`; a `device` may be given to it.
        hung_up: as given.
        user_id: the account whose token the request carried, once that was recognised.
        remember_device: a new `device`, to be kept by the browser.
        policies: the limits that were counted for the caller's own network.
    """

    def __init__(
        self,
        find_origin: Callable[[], Origin],
        hung_up: Callable[[], Coroutine[Any, Any, None]] | None = None,
    ) -> None:
        self._find_origin = find_origin
        self.hung_up = hung_up
        self.user_id: str | None = None
        self.remember_device: str | None = None
        self.policies: list[PolicyState] = []
        self._before: Token[Caller | None]

    @cached_property
    def _origin(self) -> Origin:
        return self._find_origin()

    @property
    def address(self) -> str | None:
        """See the class."""
        return self._origin.address

    @property
    def network(self) -> str | None:
        """See the class."""
        return self._origin.network

    @cached_property
    def device(self) -> str | None:
        """See the class."""
        return self._origin.device

    def __enter__(self) -> Self:
        self._before = _current.set(self)
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        _current.reset(self._before)


@dataclass(frozen=True, slots=True)
class PolicyState:
    """How far one limit is used up.

    Attributes:
        name: of the limit.
        quota: attempts in a window.
        window: seconds.
        remaining: attempts that are left.
        reset: seconds until the window ends, where nothing is left; otherwise None.
    """

    name: str
    quota: int
    window: int
    remaining: int
    reset: int | None


_current: ContextVar[Caller | None] = ContextVar("regstack_caller", default=None)


def current_caller() -> Caller | None:
    """Give who calls; None outside of a request, and in work after the answer."""
    return _current.get()


def hung_up() -> Coroutine[Any, Any, None] | None:
    """Give what ends once the current caller has hung up; None where that cannot be told."""
    caller = current_caller()
    return caller.hung_up() if caller is not None and caller.hung_up is not None else None
