"""Finds the real client behind a trusted proxy, from the proxy's headers.

Nobody is trusted by default: any client can send these headers (RFC 7239 section 8.1).
"""

from collections.abc import Collection, Iterator, Mapping
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Receive, Scope, Send

Networks = Collection[IPv4Network | IPv6Network]
MAX_HOPS = 20
"""Most proxies in a row; hops further to the left are not looked at."""
_SCHEMES = {"http", "https"}


class TrustedProxies:
    """Takes client, scheme and host from the headers of a trusted proxy, and of nobody else.

    The client is the right-most hop that is not trusted itself: anybody can have written the hops
    to its left. `Forwarded` (RFC 7239) counts where there is no `X-Forwarded-For`.
    """

    def __init__(self, app: ASGIApp, trusted: Networks) -> None:
        self._app = app
        self._trusted = trusted

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        client = scope.get("client")
        if scope["type"] == "http" and client and is_trusted(client[0], self._trusted):
            scope = self._behind(scope)
        await self._app(scope, receive, send)

    def _behind(self, scope: Scope) -> Scope:
        headers = Headers(scope=scope)
        hops = _hops(headers)
        found = {**scope, "headers": list(scope["headers"])}
        address, told = self._client(hops)
        if address is not None:
            found["client"] = (address, 0)
        scheme = (_last(headers, "x-forwarded-proto") or told.get("proto", "")).lower()
        if scheme in _SCHEMES:
            found["scheme"] = scheme
        host = _last(headers, "x-forwarded-host") or told.get("host", "")
        if host:
            MutableHeaders(scope=found)["host"] = host
        return found

    def _client(self, hops: list[Mapping[str, str]]) -> tuple[str | None, Mapping[str, str]]:
        """The right-most hop that is not trusted, with what its proxy told of it.

        Where a hop cannot be read, the one to its right is taken: the last one that is known.
        """
        last: tuple[str | None, Mapping[str, str]] = (None, {})
        for hop in reversed(hops[-MAX_HOPS:]):
            address = _address(hop.get("for", ""))
            if address is None:
                break
            last = (address, hop)
            if not is_trusted(address, self._trusted):
                break
        return last


def is_trusted(address: str, trusted: Networks) -> bool:
    """Whether the address is one of a trusted proxy."""
    try:
        parsed: IPv4Address | IPv6Address = ip_address(address)
    except ValueError:
        return False
    if isinstance(parsed, IPv6Address):
        parsed = parsed.ipv4_mapped or parsed
    return any(parsed in network for network in trusted)


def _hops(headers: Headers) -> list[Mapping[str, str]]:
    """The request's hops as the proxies noted them, the nearest proxy's note last."""
    listed = _values(headers, "x-forwarded-for")
    if listed:
        return [{"for": each} for each in listed]
    return [dict(_pairs(each)) for each in _values(headers, "forwarded")]


def _pairs(element: str) -> Iterator[tuple[str, str]]:
    for pair in element.split(";"):
        name, _, value = pair.partition("=")
        yield name.strip().lower(), value.strip().strip('"')


def _values(headers: Headers, name: str) -> list[str]:
    """All values of a header, which may occur several times, each with commas."""
    return [part.strip() for line in headers.getlist(name) for part in line.split(",")]


def _last(headers: Headers, name: str) -> str:
    """The value from the nearest proxy."""
    return (_values(headers, name) or [""])[-1]


def _address(text: str) -> str | None:
    """The IP address of a hop: bare, with a port, or in brackets."""
    bare = text.strip()
    if bare.startswith("["):
        bare = bare[1:].partition("]")[0]
    elif bare.count(":") == 1:
        bare = bare.partition(":")[0]
    try:
        return str(ip_address(bare))
    except ValueError:
        return None
