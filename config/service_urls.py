"""The URLs of the platform's services: they say where a service is and who we are, nothing more.

The program itself decides how the services are spoken to. An option in a URL may name the place or
the login, or ask for what the program does anyway. An option that would weaken that, or that is not
known, is refused in a sentence. Only time limits are accepted silently, and replaced by the
program's own. No sentence repeats a value: it may be a secret.
"""

import re
import warnings
from collections.abc import Callable, Iterator
from ipaddress import ip_address
from urllib.parse import SplitResult, unquote, urlsplit

from pydantic import AfterValidator, SecretStr
from pymongo.errors import ConfigurationError, InvalidURI
from pymongo.uri_parser import split_options

from config.hosts import check_host

MAX_PROXY_LOGIN = 255
"""Bytes of a user or a password (RFC 1929)."""
BETWEEN = ";"
"""Between the URLs of a cluster's nodes."""
_FILES = "the files of TLS are COURIER_TLS_CA_FILE, COURIER_TLS_CERT_FILE and COURIER_TLS_KEY_FILE"

_PLACE_AND_LOGIN = {
    *("replicaset", "authsource", "authmechanism", "authmechanismproperties", "tls", "ssl"),
    *("srvservicename", "srvmaxhosts", "loadbalanced", "appname"),
    *("compressors", "zlibcompressionlevel"),
    *("maxpoolsize", "minpoolsize", "maxidletimems", "maxconnecting"),
}
_ANYWAY = {
    "w": "majority",
    "journal": "true",
    "readpreference": "primary",
    "readconcernlevel": "majority",
    "retrywrites": "true",
    "retryreads": "true",
    "directconnection": "false",
    "tlsinsecure": "false",
    "tlsallowinvalidcertificates": "false",
    "tlsallowinvalidhostnames": "false",
}
"""Options with the program's own values: other values would weaken the connection."""
_TIME_LIMITS = {
    *("timeoutms", "sockettimeoutms", "connecttimeoutms", "serverselectiontimeoutms"),
    *("wtimeoutms", "waitqueuetimeoutms", "heartbeatfrequencyms"),
}


def _checked(check: Callable[[str], None]) -> AfterValidator:
    def apply(value: SecretStr) -> SecretStr:
        check(value.get_secret_value())
        return value

    return AfterValidator(apply)


def _check_amqp(value: str) -> None:
    for node in value.split(BETWEEN):
        parts = _split(node.strip(), ("amqp", "amqps"), f", or several with {BETWEEN!r} between")
        if parts.username is not None and parts.password is None:
            raise ValueError("must have a password where it has a user (user:password@)")
        if parts.path.count("/") > 1:
            raise ValueError("must name one virtual host: '/' in its name is written as %2F")
        if parts.query:
            raise ValueError(
                f"must have no options: limits and checks are the program's own, and {_FILES}"
            )


def _check_mongodb(value: str) -> None:
    parts = _split(value, ("mongodb", "mongodb+srv"))
    if parts.query:
        _check_options(parts.query)


def _check_smtp(value: str) -> None:
    parts = _split(value, ("smtp", "smtps", "smtp+starttls"))
    if parts.query:
        raise ValueError(f"must have no options: {_FILES}")
    if parts.username is not None and parts.scheme == "smtp" and not _is_loopback(parts.hostname):
        raise ValueError(
            "must not send a password without TLS beyond this machine: "
            "begin it with smtps:// or smtp+starttls://"
        )


def is_url(value: str, *schemes: str) -> bool:
    """Whether the text is a URL of one of these schemes, with a host."""
    try:
        _split(value, schemes)
    except ValueError:
        return False
    return True


def _check_api(value: str) -> None:
    parts = _split(value, ("http", "https"))
    if parts.username is None or parts.password is None:
        raise ValueError("must have a user and a password (user:password@)")
    if parts.query:
        raise ValueError(f"must have no options: {_FILES}")
    if parts.scheme == "http" and not _is_loopback(parts.hostname):
        raise ValueError(
            "must not send a password without TLS beyond this machine: begin it with https://"
        )


def _check_proxy(value: str) -> None:
    if value.startswith("socks5h:"):
        raise ValueError(
            "must begin with socks5://: Courier looks names up itself, so that COURIER_EGRESS_DENY "
            "and COURIER_EGRESS_ALLOW hold"
        )
    parts = _split(value, ("socks5", "http"))
    check_host(parts.hostname or "")
    if parts.port is None:
        raise ValueError("must name the proxy's port, such as socks5://proxy.example:1080")
    if parts.path.strip("/") or parts.query:
        raise ValueError("must have nothing behind the port")
    login = [unquote(each) for each in (parts.username, parts.password) if each is not None]
    sizes = [len(each.encode()) for each in login]
    if len(login) == 1 or not all(1 <= size <= MAX_PROXY_LOGIN for size in sizes):
        raise ValueError(
            "must have a user and a password of 1 to 255 bytes each (user:password@), or neither"
        )
    if login and ":" in login[0]:
        raise ValueError("must have a user without ':' in it")


AmqpUrl = _checked(_check_amqp)
ManagementUrl = _checked(_check_api)
MongodbUrl = _checked(_check_mongodb)
SmtpUrl = _checked(_check_smtp)
ProxyUrl = _checked(_check_proxy)


def _split(value: str, schemes: tuple[str, ...], more: str = "") -> SplitResult:
    wanted = f"must be a URL that begins with {' or '.join(f'{each}://' for each in schemes)}{more}"
    try:
        parts = urlsplit(value)
        ports = [_port(host) for host in _hosts(parts)]
    except ValueError:
        raise ValueError(f"{wanted}, with HOST or HOST:PORT") from None
    if parts.scheme not in schemes or not parts.hostname or 0 in ports:
        raise ValueError(wanted)
    if "@" in parts.path + parts.query + parts.fragment or parts.fragment:
        raise ValueError("must have the characters @ / ? # : of a user or password percent-encoded")
    return parts


def _hosts(parts: SplitResult) -> Iterator[str]:
    """The hosts of a URL: a replica set has several."""
    yield from parts.netloc.rpartition("@")[2].split(",")


def _port(host: str) -> int | None:
    """The port. Raises ValueError (UnicodeError too) where the host cannot be looked up."""
    parts = urlsplit(f"//{host}")
    if re.search(r"\s", host):
        raise ValueError("a host has no spaces")
    if not host.endswith(".sock"):  # the path of a socket is no name
        (parts.hostname or "").encode("idna")
    return parts.port


def _is_loopback(host: str | None) -> bool:
    try:
        return ip_address(host or "").is_loopback
    except ValueError:
        return host == "localhost"


def _check_options(query: str) -> None:
    """Judge MongoDB's options as the driver reads them: in any case, between '&' or ';'."""
    given = [part.partition("=")[::2] for part in re.split("[&;]", query)]
    names = [name.lower() for name, _ in given]
    for name, value in given:
        _check_option(name, value.lower())
    if len(names) > len({*names}):
        raise ValueError("must give each option once")
    try:
        with warnings.catch_warnings(action="ignore"):
            split_options(query)
    except (InvalidURI, ConfigurationError, ValueError, TypeError):
        raise ValueError(
            "has an option whose value cannot be used: options are NAME=VALUE with '&' between"
        ) from None


def _check_option(name: str, value: str) -> None:
    known = name.lower()
    if known in _PLACE_AND_LOGIN | _TIME_LIMITS or _ANYWAY.get(known) == value:
        return
    if known in _ANYWAY:
        raise ValueError(
            f"must not set {name} to anything but {_ANYWAY[known]}, which is what Courier uses: "
            "remove the option"
        )
    if known.startswith("tls"):
        raise ValueError(f"must not have the option {name}: {_FILES}")
    raise ValueError(f"must not have the option {name!r}, which Courier does not take: remove it")
