"""Who calls: what services may know of the request that they work for."""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator


@dataclass(slots=True)
class Caller:
    """The other side of one request, and what the answer has to tell it.

    Attributes:
        address: the client's address; None where it is not known.
        network: what limits count it by (`regstack.auth.addresses.network_of`).
        device: what its browser keeps to be known again by; not to be believed by itself.
        hung_up: gives a coroutine that ends once the client has hung up; None where that cannot be told.
        user_id: the account whose token the request carried, once that was recognised.
        remember_device: a new `device`, to be kept by the browser.
        policies: the limits that were counted for the caller's own network.
    """

    address: str | None = None
    network: str | None = None
    device: str | None = field(default=None, repr=False)
    hung_up: Callable[[], Coroutine[Any, Any, None]] | None = field(default=None, repr=False)
    user_id: str | None = None
    remember_device: str | None = field(default=None, repr=False)
    policies: list[PolicyState] = field(default_factory=list)


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


@contextmanager
def calling(caller: Caller) -> Iterator[Caller]:
    """Work for a caller."""
    before = _current.set(caller)
    try:
        yield caller
    finally:
        _current.reset(before)
