"""Where customers' servers may connect to in FTP's active mode, as an operator names it. Pure."""

import re
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address
from typing import Annotated

from pydantic import BeforeValidator, InstanceOf

FIRST_PORT, LAST_PORT = 1024, 65535
"""Those at which a program may listen without privileges."""
_RANGE = re.compile(r"\s*(\d{1,5})\s*-\s*(\d{1,5})\s*", re.ASCII)
Addresses = tuple[IPv4Address | IPv6Address, ...]


def check_addresses(value: Addresses) -> Addresses:
    """The addresses themselves. Raises ValueError where servers cannot be told to use them."""
    if len({each.version for each in value}) < len(value):
        raise ValueError("must name one IPv4 address, one IPv6 address, or one of each")
    if any(each.is_unspecified or each.is_multicast for each in value):
        raise ValueError("must name addresses at which this host is reached, such as 192.0.2.7")
    return value


def _ports(value: object) -> object:
    if not isinstance(value, str):
        return value
    found = _RANGE.fullmatch(value)
    first, last = (int(found[1]), int(found[2])) if found else (0, 0)
    if not FIRST_PORT <= first <= last <= LAST_PORT:
        raise ValueError(f"must be two ports from {FIRST_PORT} to {LAST_PORT}, such as 50000-50999")
    return range(first, last + 1)


Ports = Annotated[InstanceOf[range], BeforeValidator(_ports)]


def problems(addresses: Addresses, ports: range | None, *, has_proxy: bool) -> Iterator[str]:
    """A sentence where it is said at which address or at which ports, and not both, or where a
    proxy is in the way."""
    names = ("COURIER_ACTIVE_FTP_ADDRESSES", "COURIER_ACTIVE_FTP_PORTS")
    if addresses and ports is None:
        yield f"{names[0]} is not valid: it needs {names[1]}, such as 50000-50999."
    if ports is not None and not addresses:
        yield f"{names[1]} is not valid: it needs {names[0]}, at which servers reach this host."
    if ports is not None and has_proxy:
        yield (
            f"{names[1]} is not valid: servers that are reached through COURIER_OUTGOING_PROXY "
            "cannot connect to this host. Set one of the two."
        )
