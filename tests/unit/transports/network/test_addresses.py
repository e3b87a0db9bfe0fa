"""Which addresses connections may go to."""

from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transports.base import Egress
from transports.network.addresses import PRIVATE, permitted, reachable


@given(st.ip_addresses(v=4).filter(int), st.ip_addresses(v=6))
def test_an_address_that_is_denied_is_denied_in_each_of_its_forms(
    inside: IPv4Address, around: IPv6Address
) -> None:
    deny = Egress(deny=(ip_network(inside),))
    high, low = int(around) >> 32 << 32, int(inside)
    forms = [
        int(ip_address(prefix)) | low for prefix in ("::ffff:0:0", "::ffff:0:0:0", "64:ff9b::")
    ]
    forms += [int(ip_address("64:ff9b:1::")) | high & (2**80 - 1) | low]
    forms += [int(ip_address("2002::")) | low << 80 | int(around) & (2**80 - 1)]
    forms += [int(ip_address("2001::")) | high & (2**96 - 1) | low ^ 0xFFFFFFFF]
    for form in forms:
        assert not permitted(str(IPv6Address(form)), deny), IPv6Address(form)


@given(st.ip_addresses(), st.lists(st.ip_addresses().map(ip_network)))
def test_every_address_is_permitted_or_not_and_never_an_error(
    address: IPv4Address | IPv6Address, networks: list[IPv4Network | IPv6Network]
) -> None:
    assert permitted(str(address), Egress())
    permitted(str(address), Egress(deny=tuple(networks), allow=tuple(networks)))


@pytest.mark.parametrize(
    ("deny", "allow", "expected"),
    [
        ([], [], ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "127.0.0.0/8"]),
        (["10.0.0.0/9", "10.128.0.0/9", "172.16.0.0/12", "192.168.0.0/15"], [], ["127.0.0.0/8"]),
        (["0.0.0.0/0", "::/0"], [], []),
        ([], ["203.0.113.0/24"], []),
        ([], ["10.1.0.0/16"], ["10.0.0.0/8"]),
        (["10.1.0.0/16"], ["10.1.2.0/24"], []),
        (["10.1.0.0/16"], ["0.0.0.0/0"], ["10.0.0.0/8", "127.0.0.0/8"]),
    ],
)
def test_private_networks_are_reachable_where_neither_list_keeps_them_away(
    deny: list[str], allow: list[str], expected: list[str]
) -> None:
    lists = Egress(deny=tuple(map(ip_network, deny)), allow=tuple(map(ip_network, allow)))
    found = reachable(PRIVATE, lists)
    assert set(map(ip_network, expected)) <= set(found)
    assert bool(found) is bool(expected)
