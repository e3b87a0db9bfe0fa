"""The proxy through which the platform connects to customers' servers."""

from dataclasses import dataclass, field
from enum import StrEnum
from urllib.parse import unquote, urlsplit

from pydantic import SecretStr


class ProxyProtocol(StrEnum):
    """How a proxy is asked for a connection; the scheme of its URL."""

    SOCKS5 = "socks5"
    """RFC 1928, with the user and the password of RFC 1929."""
    HTTP = "http"
    """The method CONNECT (RFC 9110, section 9.3.6)."""


@dataclass(frozen=True)
class Proxy:
    """Where the proxy is, and who we are there; without a user both are empty."""

    protocol: ProxyProtocol
    host: str
    port: int
    username: str = ""
    password: SecretStr = field(default_factory=lambda: SecretStr(""))


def proxy_of(url: SecretStr) -> Proxy:
    """The proxy of a URL that `config.service_urls.ProxyUrl` has checked."""
    parts = urlsplit(url.get_secret_value())
    return Proxy(
        ProxyProtocol(parts.scheme),
        parts.hostname or "",
        parts.port or 0,
        unquote(parts.username or ""),
        SecretStr(unquote(parts.password or "")),
    )
