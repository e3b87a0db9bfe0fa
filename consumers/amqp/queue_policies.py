"""Policies of RabbitMQ that would lose messages, read from its management API.

Courier declares its queues without limits of length and time. An administrator's policy, or an
operator policy, adds such limits without any word over AMQP (RabbitMQ, "Policies").
"""

import base64
import http.client
import json
import re
import ssl
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from config import tls
from config.tls import Endpoint
from consumers.amqp import topology

LOSING = ("max-length", "max-length-bytes", "message-ttl", "expires", "delivery-limit")
"""The keys of policies that drop messages, or the queue with them, before anybody took them."""
ANSWER_SECONDS = 10.0
MOST_BYTES = 1_000_000
_APPLIES = {"all", "queues", "quorum_queues"}
_KINDS = {"policies": "policy", "operator-policies": "operator policy"}
"""Resource of the API -> its name. One of each kind applies to a queue at a time."""


class ApiFailed(Exception):
    """The management API cannot be used; its text says why."""


@dataclass(frozen=True)
class Policy:
    """A policy, or an operator policy, as the API tells it."""

    kind: str
    name: str
    pattern: str
    priority: int
    limits: tuple[tuple[str, Any], ...]
    """The settings of the policy that lose messages."""

    def matches(self, queue: str) -> bool:
        """Whether it applies to the queue. A pattern that only Erlang reads counts as all."""
        try:
            return re.search(self.pattern, queue) is not None
        except re.error:
            return True


def losing(rabbitmq: Endpoint, api: Endpoint, account_ids: Iterable[str]) -> list[str]:
    """A sentence for each policy that may lose messages of ours. Raises ApiFailed."""
    vhost = _vhost(rabbitmq)
    queues = list(_queues(account_ids))
    found: list[str] = []
    for resource, kind in _KINDS.items():
        policies = _policies(_fetch(api, f"{resource}/{quote(vhost, safe='')}"), kind)
        found += _sentences(policies, queues)
    return found


def _queues(account_ids: Iterable[str]) -> Iterator[str]:
    """The queues of Courier, and those that a future account would have."""
    yield topology.INTAKE.name
    yield topology.INVALID.name
    for account_id in ("<account>", *account_ids):
        yield topology.account_queue_name(account_id)
        yield topology.dead_letter_queue_name(account_id)


def _sentences(policies: Sequence[Policy], queues: Sequence[str]) -> Iterator[str]:
    hit: dict[Policy, list[str]] = {}
    ordered = sorted(policies, key=lambda each: -each.priority)
    for queue in queues:
        policy = next((each for each in ordered if each.matches(queue)), None)
        if policy is not None and policy.limits:
            hit.setdefault(policy, []).append(queue)
    for policy, names in hit.items():
        limits = ", ".join(f"{name} {value}" for name, value in policy.limits)
        more = f" and {len(names) - 1} more" if len(names) > 1 else ""
        yield f"the {policy.kind} {policy.name!r} sets {limits} for {names[0]}{more}"


def _policies(listed: object, kind: str) -> list[Policy]:
    if not isinstance(listed, list):
        raise ApiFailed("its answer is no list of policies: is it RabbitMQ's management API?")
    try:
        return [_policy(each, kind) for each in listed if each["apply-to"] in _APPLIES]
    except (KeyError, TypeError, AttributeError):
        raise ApiFailed("its list of policies has another form than RabbitMQ's") from None


def _policy(told: dict[str, Any], kind: str) -> Policy:
    definition = told["definition"]
    limits = tuple((name, definition[name]) for name in LOSING if name in definition)
    return Policy(kind, str(told["name"]), str(told["pattern"]), int(told["priority"]), limits)


def _fetch(api: Endpoint, resource: str) -> object:
    parts = urlsplit(api.url.get_secret_value())
    path = f"{parts.path.rstrip('/')}/api/{resource}"
    login = f"{unquote(parts.username or '')}:{unquote(parts.password or '')}"
    headers = {"Authorization": "Basic " + base64.b64encode(login.encode()).decode()}
    try:
        connection = _connection(api)
        try:
            connection.request("GET", path, headers=headers)
            answer = connection.getresponse()
            body = answer.read(MOST_BYTES)
        finally:
            connection.close()
    except (OSError, http.client.HTTPException) as error:
        raise ApiFailed(_in_words(error)) from None
    if answer.status != http.client.OK:
        raise ApiFailed(f"it answers {answer.status} {answer.reason}")
    try:
        return json.loads(body)
    except ValueError:
        raise ApiFailed("its answer is no JSON: is it RabbitMQ's management API?") from None


def _connection(api: Endpoint) -> http.client.HTTPConnection:
    parts = urlsplit(api.url.get_secret_value())
    host = parts.hostname or ""
    if parts.scheme == "https":
        return http.client.HTTPSConnection(
            host, parts.port or 15671, timeout=ANSWER_SECONDS, context=api.trust.context()
        )
    return http.client.HTTPConnection(host, parts.port or 15672, timeout=ANSWER_SECONDS)


def _in_words(error: Exception) -> str:
    if isinstance(error, ssl.SSLError):
        return tls.in_words(error)
    words = error.strerror if isinstance(error, OSError) else None
    return words or str(error) or type(error).__name__


def _vhost(rabbitmq: Endpoint) -> str:
    """The virtual host of the AMQP URL; without one it is `/` (RabbitMQ, "URI Specification")."""
    first = rabbitmq.url.get_secret_value().split(";")[0].strip()
    return unquote(urlsplit(first).path[1:]) or "/"
