"""HTTP sessions for libraries that connect by themselves, but no further than they may.

A session goes to one host, at addresses that egress has checked before: it looks no name up, has no
proxy of the environment, follows no redirect and reads no more than it was promised. An answer that
is none of a success is raised as it is told, before a library takes it for something else.
"""

import asyncio
import contextlib
import re
import socket
import time
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from transports.network.dialing import Address
from transports.sources.http import Place, tls_context
from transports.words import spoken

MAX_ANSWER = 2 * 2**20
"""Bytes of one answer: more than any range that is asked for."""
_MAX_ERROR = 16 * 1024
_CLOSING = 2.0
"""Seconds for which the end of a connection is waited for."""
_OF_A_RANGE = ("Range", "x-ms-range")
_ASKED = re.compile(r"bytes=(\d{1,19})-(\d{1,19})")
_TOLD = re.compile(r"bytes (\d{1,19})-(\d{1,19})/\d{1,19}")
_SUCCESSES = {HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT}
_HEADERS = {"Accept-Encoding": "identity"}


NONSENSE = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)
"""What libraries raise over answers and files that they cannot make sense of."""


class Refusal(Exception):
    """The store answers with an error, or redirects."""

    def __init__(self, status: int, reason: str, headers: Mapping[str, str], body: bytes) -> None:
        super().__init__(status)
        self.status = status
        self.headers = headers
        self.body = body
        """Its beginning."""
        self.words = f"HTTP {status} {spoken(reason)}".strip()
        """The status as the store says it."""


class Unasked(Exception):
    """The store answers with something else than was asked for, or does not tell what it is."""


class Guard:
    """A session that reaches one place alone; made in the loop."""

    def __init__(
        self, place: Place, addresses: Sequence[Address], connect: float, stall: float
    ) -> None:
        """The limits are in seconds."""
        self._checked = {each.host for each in addresses}
        self._sockets: list[socket.socket] = []
        connector = aiohttp.TCPConnector(
            resolver=_Checked(place.host, addresses),
            socket_factory=self._socket,
            use_dns_cache=False,
            ssl=tls_context() if place.scheme == "https" else True,
        )
        self.session = aiohttp.ClientSession(
            connector=connector,
            response_class=_Answer,
            auto_decompress=False,
            trust_env=False,
            cookie_jar=aiohttp.DummyCookieJar(),
            headers=_HEADERS,
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=connect, sock_read=stall),
        )

    async def close(self) -> None:
        """End its connections; those that break off are not waited for by the session."""
        await self.session.close()
        for each in self._sockets:
            with contextlib.suppress(OSError):  # closed already
                each.shutdown(socket.SHUT_RDWR)
        until = time.monotonic() + _CLOSING
        is_open = True
        while is_open and time.monotonic() < until:
            await asyncio.sleep(0.001)
            is_open = any(each.fileno() >= 0 for each in self._sockets)

    def _socket(self, info: Any) -> socket.socket:
        """For an address, which may have stood in a URL: then no resolver has seen it."""
        family, kind, protocol, _, address = info
        if str(address[0]) not in self._checked:
            raise OSError(f"{address[0]} is an address where no connection may go")
        made = socket.socket(family, kind, protocol)
        self._sockets = [each for each in self._sockets if each.fileno() >= 0] + [made]
        return made


async def whole(answer: aiohttp.ClientResponse) -> bytes:
    """All that it says. Raises Unasked."""
    found = b""
    async for part in answer.content.iter_any():
        found += part
        if len(found) > MAX_ANSWER:
            raise Unasked("The store says more than it was asked for")
    return found


class _Answer(aiohttp.ClientResponse):
    """Raises Refusal, Unasked as soon as its head has come."""

    async def start(self, connection: Any) -> aiohttp.ClientResponse:
        await super().start(connection)
        try:
            await self._check()
        except BaseException:
            self.close()
            raise
        return self

    async def _check(self) -> None:
        if self.status not in _SUCCESSES:
            raise Refusal(self.status, self.reason or "", self.headers, await self._beginning())
        if self.method != "HEAD":
            self._check_plain()
            self._check_length()
            self._check_range()

    async def _beginning(self) -> bytes:
        """Of an error; what has come of it where it breaks off."""
        found = b""
        if self.method == "HEAD":
            return found
        try:
            while len(found) < _MAX_ERROR and (part := await self.content.readany()):
                found += part
        except (aiohttp.ClientError, OSError, asyncio.IncompleteReadError):
            return found[:_MAX_ERROR]
        return found[:_MAX_ERROR]

    def _check_plain(self) -> None:
        """Libraries would unpack it, to any size."""
        if self.headers.get("Content-Encoding", "identity").lower() not in {"", "identity"}:
            raise Unasked("The store compresses what it was asked for as it is")

    def _check_length(self) -> None:
        length = self.content_length
        if self._asked_range and length is None:
            raise Unasked("The store does not tell the size of its answer")
        if (length or 0) > MAX_ANSWER:
            raise Unasked("The store says more than it was asked for")

    def _check_range(self) -> None:
        if not self._asked_range:
            return
        told = self.headers.get("Content-Range", "")
        asked, found = _ASKED.fullmatch(self._asked_range), _TOLD.fullmatch(told)
        if asked and asked[1] == "0" and not told and self.status == HTTPStatus.OK:
            return  # all of it: whoever has asked checks its length
        if asked is None or found is None or asked.groups() != found.groups():
            raise Unasked("The store answers with another range than was asked for")

    @property
    def _asked_range(self) -> str:
        headers = self.request_info.headers
        return next((headers[name] for name in _OF_A_RANGE if name in headers), "")


class _Checked(AbstractResolver):
    """Knows one host."""

    def __init__(self, host: str, addresses: Sequence[Address]) -> None:
        self._host = host.encode("idna").decode()  # as sessions ask for it
        self._addresses = addresses

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        if host != self._host:
            raise OSError(f"{spoken(host)} is another host than the store's")
        return [
            ResolveResult(
                hostname=host,
                host=each.host,
                port=port,
                family=each.family,
                proto=socket.IPPROTO_TCP,
                flags=socket.AI_NUMERICHOST,
            )
            for each in self._addresses
            if family in {socket.AF_UNSPEC, each.family}
        ]

    async def close(self) -> None:
        """It holds nothing."""
