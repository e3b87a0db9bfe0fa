"""Connections to the outside: the name resolved once, each address checked, then connected to.

What is connected to is the address that was checked; a name is never looked up a second time, so
that its owner cannot answer differently in between (DNS rebinding).
"""

import socket
from dataclasses import replace
from itertools import chain, zip_longest

from config.outgoing import Proxy
from transports.base import Egress, Limits
from transports.errors import (
    ConnectFailed,
    EgressDenied,
    FamilyNotReached,
    OutgoingFailed,
    ResolveFailed,
)
from transports.network.addresses import permitted
from transports.network.dialing import Address, Connection, Hop, check_port, dial
from transports.network.lookup import look_up
from transports.words import own, system_words

MAX_ADDRESSES = 4
MAX_HOPS = 2
"""Addresses of the proxy that are tried for each of the server's."""
_IPV4 = 4
_FAMILIES = {_IPV4: socket.AF_INET, 6: socket.AF_INET6}


def connect(host: str, port: int, limits: Limits, egress: Egress) -> Connection:
    """A TCP connection to the host of a recording, which is no customer's: it goes the straight
    way, without proxy and fixed source address.

    Raises ResolveFailed, EgressDenied, ConnectFailed.
    """
    return dial(addresses(host, port, limits, egress), limits)


def addresses(host: str, port: int, limits: Limits, egress: Egress) -> list[Address]:
    """The first addresses of the host of a recording that may be connected to.

    Raises ResolveFailed, EgressDenied, ConnectFailed for a port out of range.
    """
    return _first(_checked(host, port, limits, egress))


def resolve(host: str, port: int, limits: Limits, egress: Egress) -> list[Address]:
    """The first addresses of a customer's server that may be connected to, in the order in which to
    try them, each with the way to it.

    Raises ResolveFailed, EgressDenied, FamilyNotReached, OutgoingFailed, ConnectFailed for a port
    out of range.
    """
    allowed = _checked(host, port, limits, egress)
    if egress.proxy is not None:
        hops = _hops(egress.proxy, limits, egress)
        return [replace(each, hop=hop) for each in _first(allowed) for hop in hops]
    reached = _from_sources(allowed, egress)
    if not reached:
        mine, theirs = ("IPv4", "IPv6") if egress.sources[0].version == _IPV4 else ("IPv6", "IPv4")
        words = f"The platform connects over {mine}, and {host} has addresses of {theirs} alone"
        raise FamilyNotReached(own(words))
    return _first(reached)


def resolve_proxy(egress: Egress, limits: Limits) -> list[Hop]:
    """The addresses of the proxy; none where there is no proxy. Raises OutgoingFailed."""
    return [] if egress.proxy is None else _hops(egress.proxy, limits, egress)


def _hops(proxy: Proxy, limits: Limits, egress: Egress) -> list[Hop]:
    try:
        found = look_up(proxy.host, proxy.port, limits.resolve)
    except ResolveFailed as failure:
        words = f"The address of the platform's proxy is not known: {failure.words}"
        raise OutgoingFailed(own(words)) from failure
    reached = _from_sources(found, egress)
    if not reached:
        words = "The platform's proxy has no address that its own address can connect to"
        raise OutgoingFailed(own(words))
    return [Hop(proxy, each) for each in _first(reached)[:MAX_HOPS]]


def _from_sources(addresses: list[Address], egress: Egress) -> list[Address]:
    """The addresses with that of this machine from which each is connected to, where it is fixed.

    Those of a family without one are left out: firewalls would not know where we come from.
    """
    if not egress.sources:
        return addresses
    sources = {_FAMILIES[each.version]: str(each) for each in egress.sources}
    return [
        replace(each, source=sources[each.family]) for each in addresses if each.family in sources
    ]


def _checked(host: str, port: int, limits: Limits, egress: Egress) -> list[Address]:
    """All addresses of the host that may be connected to."""
    try:
        check_port(port)
    except OSError as error:
        raise ConnectFailed(system_words(error)) from error
    found = look_up(host, port, limits.resolve)
    allowed = [address for address in found if permitted(address.host, egress)]
    if not allowed:
        first = found[0].host
        where = "an address" if host == first else f"{first},"
        raise EgressDenied(f"{host} is {where} where no connection may go")
    return allowed


def _first(addresses: list[Address]) -> list[Address]:
    """IPv6 and IPv4 by turns, the resolver's choice first (RFC 8305, section 4): however many
    addresses of one family are dead, one of the other is among the first."""
    family = addresses[0].family
    preferred = [each for each in addresses if each.family == family]
    others = [each for each in addresses if each.family != family]
    pairs = zip_longest(preferred, others)
    return [each for each in chain.from_iterable(pairs) if each is not None][:MAX_ADDRESSES]
