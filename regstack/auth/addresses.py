"""Where a request comes from, as far as it can be believed."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

IPV6_PREFIX = 64
"""Bits of an IPv6 address that name one customer's line; the rest is theirs to choose (RFC 6177)."""

_Address = IPv4Address | IPv6Address


def client_address(peer: str | None, forwarded: Sequence[str], trusted_proxies: int) -> str | None:
    """Tell the client's address.

    Every proxy appends the address that it was called from to `X-Forwarded-For`. So of its
    entries only the last ones, as many as there are proxies of one's own, say something; all
    before them can be written by anybody.

    Args:
        peer: the address at the other end of the connection, if it has one.
        forwarded: the values of all `X-Forwarded-For` fields, in their order.
        trusted_proxies: how many proxies in front append to it.

    Returns:
        The address in its shortest form, an IPv4 one behind IPv6 as IPv4; None where there is
        none, or it cannot be read. A request that has passed fewer proxies than there should be
        is taken for the peer's own.
    """
    entries = [entry for value in forwarded for entry in value.split(",")]
    believed = entries[-trusted_proxies] if 0 < trusted_proxies <= len(entries) else peer
    address = _parse(believed) if believed is not None else None
    return str(address) if address is not None else None


def network_of(address: str) -> str:
    """Give what limits count an address by: itself, or the /64 that an IPv6 one lies in."""
    parsed = ip_address(address)
    if isinstance(parsed, IPv4Address):
        return str(parsed)
    return str(IPv6Network((int(parsed), IPV6_PREFIX), strict=False))


def _parse(entry: str) -> _Address | None:
    """Read an address; some proxies add the port, which says nothing."""
    text = entry.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ip_address(text)
    except ValueError:
        return None
    if isinstance(address, IPv6Address):
        address = IPv6Address(int(address))  # without the zone, which is the sender's own name for a link
        return address.ipv4_mapped or address
    return address
