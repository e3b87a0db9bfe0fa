"""Which addresses connections may go to: the rules alone, without a connection."""

from collections.abc import Iterable
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    collapse_addresses,
    ip_address,
)

from transports.base import Egress

_Ip = IPv4Address | IPv6Address
_Network = IPv4Network | IPv6Network
_NAT64 = IPv6Network("64:ff9b::/96")
_NAT64_LOCAL = IPv6Network("64:ff9b:1::/48")
_NAT64_PLACES = ((6, 7, 9, 10), (7, 9, 10, 11), (9, 10, 11, 12))
"""The octets of the IPv4 address behind a prefix of 48, 56 and 64 bits (RFC 6052, 2.2)."""
_COMPATIBLE = IPv6Network("::/96")
_SIIT = IPv6Network("::ffff:0:0:0/96")
_ISATAP = {0x00005EFE, 0x02005EFE}
_LOOPBACK_4, _LOOPBACK_6 = IPv4Address("127.0.0.1"), IPv6Address("::1")
PRIVATE: tuple[_Network, ...] = (
    IPv4Network("10.0.0.0/8"),
    IPv4Network("172.16.0.0/12"),
    IPv4Network("192.168.0.0/16"),
    IPv4Network("100.64.0.0/10"),
    IPv4Network("127.0.0.0/8"),
    IPv6Network("fc00::/7"),
    IPv6Network("::1/128"),
)
"""RFC 1918, 4193, 6598, and the machine itself."""


def permitted(host: str, egress: Egress) -> bool:
    """Whether connections may go to this IP address.

    Not where it, or an IPv4 address that it carries in any form, is on the deny list. Where there
    is an allow list, it must be on that one.
    """
    address = _unscoped(ip_address(host))
    if any(each in network for each in _meanings(address) for network in egress.deny):
        return False
    targets = _targets(address)
    return not egress.allow or any(each in net for each in targets for net in egress.allow)


def reachable(networks: Iterable[_Network], egress: Egress) -> list[_Network]:
    """Those of the networks of which some address may be connected to."""
    return [network for network in networks if _has_open_part(network, egress)]


def _has_open_part(network: _Network, egress: Egress) -> bool:
    parts = [network] if not egress.allow else _common(network, egress.allow)
    denied = _merged(egress.deny, network.version)
    return any(not any(_is_within(part, each) for each in denied) for part in parts)


def _common(network: _Network, others: Iterable[_Network]) -> list[_Network]:
    """What the network has in common with each of the others."""
    within = [each for each in others if _is_within(each, network)]
    around = [network for each in others if _is_within(network, each)]
    return within + around


def _merged(networks: Iterable[_Network], version: int) -> list[_Network]:
    if version == 4:  # noqa: PLR2004 - of the Internet Protocol
        return [*collapse_addresses(each for each in networks if isinstance(each, IPv4Network))]
    return [*collapse_addresses(each for each in networks if isinstance(each, IPv6Network))]


def _is_within(network: _Network, other: _Network) -> bool:
    return (
        network.version == other.version
        and network.network_address in other
        and network.prefixlen >= other.prefixlen
    )


def _unscoped(address: _Ip) -> _Ip:
    """Without the name of an interface, which would keep it out of every network."""
    return IPv6Address(int(address)) if isinstance(address, IPv6Address) else address


def _targets(address: _Ip) -> list[_Ip]:
    """Where a connection to the address goes to, as far as this machine and a NAT64 decide it."""
    if address.is_unspecified:
        return [_LOOPBACK_4 if isinstance(address, IPv4Address) else _LOOPBACK_6]
    if isinstance(address, IPv4Address):
        return [address]
    if address.ipv4_mapped:
        return _targets(address.ipv4_mapped)
    return [address, *_translated(address)]


def _meanings(address: _Ip) -> list[_Ip]:
    """The address, and whatever it may stand for on its way."""
    meant: list[_Ip] = [address]
    if isinstance(address, IPv6Address):
        meant += _translated(address)
        meant += _carried(address)
    if any(each.is_unspecified for each in meant):  # Linux connects to the machine itself
        meant += [_LOOPBACK_4, _LOOPBACK_6]
    return meant


def _translated(address: IPv6Address) -> list[IPv4Address]:
    """The IPv4 address to which a NAT64 translates this one (RFC 6052, RFC 8215)."""
    if address in _NAT64:
        return [_last_four(address)]
    if address not in _NAT64_LOCAL:
        return []
    # Its operator chooses the length of the prefix; what follows the IPv4 address is zero.
    raw = address.packed
    read = [IPv4Address(raw[12:])]
    read += [
        IPv4Address(bytes(raw[place] for place in places))
        for places in _NAT64_PLACES
        if not any(raw[places[-1] + 1 :])
    ]
    return [each for each in read if int(each)] or read[:1]


def _carried(address: IPv6Address) -> list[IPv4Address]:
    """IPv4 addresses in the forms of old ways from IPv4 to IPv6."""
    found = [address.ipv4_mapped, address.sixtofour, *(address.teredo or ())]
    if address in _COMPATIBLE or address in _SIIT or int(address) >> 32 & 0xFFFFFFFF in _ISATAP:
        found.append(_last_four(address))
    return [each for each in found if each is not None]


def _last_four(address: IPv6Address) -> IPv4Address:
    return IPv4Address(int(address) & 0xFFFFFFFF)
