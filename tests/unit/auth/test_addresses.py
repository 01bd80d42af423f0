"""Whose address a request is counted under."""

from __future__ import annotations

import pytest

from regstack.auth.addresses import client_address, network_of


@pytest.mark.parametrize(
    ("peer", "forwarded", "trusted", "expected"),
    [
        ("192.0.2.1", [], 0, "192.0.2.1"),
        ("192.0.2.1", ["198.51.100.7"], 0, "192.0.2.1"),
        ("10.0.0.1", ["198.51.100.7"], 1, "198.51.100.7"),
        ("10.0.0.1", ["203.0.113.66, 198.51.100.7"], 1, "198.51.100.7"),
        ("10.0.0.1", ["203.0.113.66", "198.51.100.7, 10.0.0.2"], 2, "198.51.100.7"),
        ("10.0.0.1", [], 1, "10.0.0.1"),
        ("198.51.100.9", ["203.0.113.66"], 2, "198.51.100.9"),
        ("10.0.0.1", ["198.51.100.7:51234"], 1, "198.51.100.7"),
        ("10.0.0.1", ["[2001:db8::1]:51234"], 1, "2001:db8::1"),
        ("10.0.0.1", ["2001:DB8:0:0::1"], 1, "2001:db8::1"),
        ("::ffff:192.0.2.1", [], 0, "192.0.2.1"),
        ("fe80::1%eth0", [], 0, "fe80::1"),
        ("10.0.0.1", ["unknown"], 1, None),
        ("10.0.0.1", ["198.51.100.7, "], 1, None),
        ("10.0.0.1", ["0x7f.1"], 1, None),
        ("10.0.0.1", ["198.51.100.007"], 1, None),
        (None, [], 0, None),
        ("testclient", [], 0, None),
    ],
)
def test_only_entries_of_own_proxies_are_believed(
    peer: str | None, forwarded: list[str], trusted: int, expected: str | None
) -> None:
    assert client_address(peer, forwarded, trusted) == expected


def test_an_ipv6_line_counts_as_one_and_ipv4_by_address() -> None:
    assert network_of("2001:db8:1:2:3:4:5:6") == network_of("2001:db8:1:2:ffff::9") == "2001:db8:1:2::/64"
    assert network_of("2001:db8:1:3::1") != network_of("2001:db8:1:2::1")
    assert network_of("192.0.2.1") == "192.0.2.1"
