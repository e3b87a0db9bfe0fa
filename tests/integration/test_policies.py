"""Policies of RabbitMQ that would lose messages are found and told, before anything is lost."""

import json
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
from pydantic import SecretStr

from config.tls import Endpoint
from consumers.amqp import policy_probe, queue_policies
from consumers.observe import Observation, Trouble
from deploy.local.processes import free_port, listens, wait_until
from deploy.local.rabbitmq import RabbitMQ
from deploy.local.services import Services
from tests.integration.platform import MakeCourier, until
from tests.servers.broker_users import LimitedUser
from tests.servers.own_broker import own_broker
from worker import losing_policies
from worker.checks import run_checks
from worker.core import Core

NOT_LET_IN = "it answers 401 Unauthorized|it answers 404 Not Found"
"""RabbitMQ 3.10 says the one, 4.3 the other, of a virtual host in which one has no right."""
_API = """
application:load(rabbitmq_management),
application:set_env(rabbitmq_management, listener, [{{port, {port}}}, {{ip, "127.0.0.1"}}]),
{{ok, _}} = application:ensure_all_started(rabbitmq_management), ok.
"""
_LOOKER = """
rabbit_auth_backend_internal:add_user(<<"{name}">>, <<"{password}">>, <<"tests">>),
rabbit_auth_backend_internal:set_tags(<<"{name}">>, [management], <<"tests">>), ok.
"""


@dataclass(frozen=True)
class Policy:
    """One that an administrator sets; `_` stands for `-` in the names of its limits."""

    pattern: str
    limits: dict[str, Any]
    operator: bool = False
    priority: int = 0
    name: str = field(default_factory=lambda: f"p-{secrets.token_hex(3)}")

    def set_in(self, vhost: str) -> str:
        """How the broker is told, in Erlang."""
        verb = "parse_set_op" if self.operator else "parse_set"
        limits = json.dumps({key.replace("_", "-"): value for key, value in self.limits.items()})
        words = (vhost, self.name, self.pattern, limits, str(self.priority), "queues", "tests")
        binaries = ", ".join(f"<<{json.dumps(each)}>>" for each in words)
        return f"ok = rabbit_policy:{verb}({binaries})"


def policy(pattern: str, *, operator: bool = False, priority: int = 0, **limits: Any) -> Policy:
    return Policy(pattern, limits, operator, priority)


class Policies:
    """Those of the virtual host of a test."""

    def __init__(self, rabbitmq: RabbitMQ, amqp_url: str) -> None:
        self._rabbitmq = rabbitmq
        self.vhost = unquote(urlsplit(amqp_url).path[1:])

    def set(self, *wanted: Policy) -> None:
        """In one call: each costs the start of a program."""
        each = [policy.set_in(self.vhost) for policy in wanted]
        self._rabbitmq.evaluate(f"{', '.join(each)}, ok.")


@pytest.fixture(scope="module")
def broker(services: Services, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RabbitMQ]:
    with own_broker(services.rabbitmq, tmp_path_factory.mktemp("own") / "broker") as broker:
        yield broker


@pytest.fixture
def amqp_url(broker: RabbitMQ) -> Iterator[str]:
    """A virtual host of the test's own."""
    name = f"policies-{secrets.token_hex(4)}"
    broker.replace_vhosts([], [name])
    yield broker.vhost_url(name)
    broker.replace_vhosts([name], [])


@pytest.fixture
def administrator(broker: RabbitMQ, amqp_url: str) -> Policies:
    return Policies(broker, amqp_url)


@pytest.fixture
def rabbitmq(amqp_url: str) -> Endpoint:
    return Endpoint(SecretStr(amqp_url))


@pytest.fixture(scope="module")
def api(broker: RabbitMQ) -> Iterator[Endpoint]:
    """The management API, for a user that may only look."""
    port = free_port()
    broker.evaluate(_API.format(port=port))
    wait_until(lambda: listens(port), 60, "the management API does not listen")
    name, password = f"looks-{secrets.token_hex(4)}", secrets.token_hex(8)
    broker.evaluate(_LOOKER.format(name=name, password=password))
    yield Endpoint(SecretStr(f"http://{name}:{password}@127.0.0.1:{port}"))
    broker.evaluate("application:stop(rabbitmq_management), ok.")


def let_in(broker: RabbitMQ, api: Endpoint, vhost: str) -> None:
    """A user sees the policies of a virtual host that it has any right in."""
    name = urlsplit(api.url.get_secret_value()).username or ""
    broker.evaluate(
        "rabbit_auth_backend_internal:set_permissions("
        f'<<"{name}">>, <<"{vhost}">>, <<"^$">>, <<"^$">>, <<"^$">>, <<"tests">>), ok.'
    )


# --- over AMQP alone ------------------------------------------------------------------------


def test_where_no_policy_is_nothing_is_found_and_nothing_is_left(
    rabbitmq: Endpoint, broker: RabbitMQ, administrator: Policies
) -> None:
    assert policy_probe.losing(rabbitmq) == []
    assert broker.administer("list_queues", "-p", administrator.vhost, "name") == ""


@pytest.mark.parametrize("operator", [False, True])
def test_small_limits_are_found_by_what_they_lose(
    rabbitmq: Endpoint, administrator: Policies, *, operator: bool
) -> None:
    administrator.set(
        policy(r"^recordings\.ready", operator=operator, priority=9, max_length=10),
        policy(r"^recordings\.invalid", operator=operator, max_length_bytes=5000),
        policy(r"^deliveries\.", operator=operator, message_ttl=500),
        policy(r"^dead-letters\.", operator=operator, delivery_limit=7),
    )
    ready, invalid, deliveries, dead_letters = policy_probe.losing(rabbitmq)
    assert ready == "a queue recordings.ready keeps 10 of 500 messages for 2 seconds"
    assert invalid.startswith("a queue recordings.invalid keeps ")
    assert deliveries.startswith("a queue of an account (deliveries.<account>) keeps 0 of 500 ")
    assert dead_letters.startswith("a queue of an account (dead-letters.<account>) drops a message")


def test_a_queue_that_refuses_messages_is_found(
    rabbitmq: Endpoint, administrator: Policies
) -> None:
    administrator.set(policy(r"^recordings\.ready", max_length=10, overflow="reject-publish"))
    (ready,) = policy_probe.losing(rabbitmq)
    assert ready.startswith("a queue recordings.ready keeps ")


def test_a_user_that_may_make_no_such_queue_is_told_nothing(
    rabbitmq: Endpoint, broker: RabbitMQ, administrator: Policies
) -> None:
    administrator.set(policy(".*", max_length=10))
    limited = LimitedUser.at(broker, rabbitmq.url.get_secret_value())
    limited.may(configure=r"^(deliveries|dead-letters)\..*$")
    found = policy_probe.losing(Endpoint(SecretStr(limited.url)))
    assert [words.partition(" keeps ")[0] for words in found] == [
        f"a queue of an account ({each}.<account>)" for each in ("deliveries", "dead-letters")
    ]


# --- by the management API ------------------------------------------------------------------


def test_the_api_tells_every_limit_of_every_queue_of_ours(
    rabbitmq: Endpoint, broker: RabbitMQ, administrator: Policies, api: Endpoint
) -> None:
    let_in(broker, api, administrator.vhost)
    assert queue_policies.losing(rabbitmq, api, ["acme"]) == []
    wide = policy(".*", operator=True, message_ttl=86_400_000, expires=1_800_000)
    one = policy(r"^deliveries\.acme$", priority=3, max_length=1_000_000)
    administrator.set(
        *(wide, one),
        policy(r"^deliveries\.", priority=1, dead_letter_exchange="other"),
        policy("^somebody-elses$", priority=7, max_length=1),
    )
    times = "message-ttl 86400000, expires 1800000"
    assert until(
        lambda: sorted(queue_policies.losing(rabbitmq, api, ["acme"])), "policies"
    ) == sorted(
        [
            f"the operator policy {wide.name!r} sets {times} for recordings.ready and 5 more",
            f"the policy {one.name!r} sets max-length 1000000 for deliveries.acme",
        ]
    )


def test_an_api_that_cannot_be_used_is_told(
    rabbitmq: Endpoint, api: Endpoint, broker: RabbitMQ, administrator: Policies
) -> None:
    with pytest.raises(queue_policies.ApiFailed, match=NOT_LET_IN):
        queue_policies.losing(rabbitmq, api, [])
    let_in(broker, api, administrator.vhost)
    wrong = api.url.get_secret_value().replace("looks-", "looked-")
    with pytest.raises(queue_policies.ApiFailed, match="it answers 401 Unauthorized"):
        queue_policies.losing(rabbitmq, Endpoint(SecretStr(wrong)), [])
    nowhere = Endpoint(SecretStr(f"http://a:b@127.0.0.1:{free_port()}"))
    with pytest.raises(queue_policies.ApiFailed, match="Connection refused"):
        queue_policies.losing(rabbitmq, nowhere, [])


# --- told -----------------------------------------------------------------------------------


def warned(core: Core) -> list[str]:
    return [each.detail for each in run_checks(core) if each.name == "policies" and each.warning]


def test_check_warns_and_stays_usable(make_courier: MakeCourier, administrator: Policies) -> None:
    core = make_courier().core
    assert warned(core) == []
    administrator.set(policy(r"^recordings\.ready", max_length=10))
    assert warned(core) == ["a queue recordings.ready keeps 10 of 500 messages for 2 seconds"]
    (told,) = (each for each in run_checks(core) if each.name == "RabbitMQ")
    assert told.ok


def test_check_asks_the_management_api_where_it_is_given(
    make_courier: MakeCourier, administrator: Policies, broker: RabbitMQ, api: Endpoint
) -> None:
    core = make_courier(rabbitmq_management_url=api.url).core
    (unknown,) = warned(core)
    assert unknown.startswith("the management API cannot tell the policies: it answers 40")
    assert "; correct COURIER_RABBITMQ_MANAGEMENT_URL, or" in unknown
    let_in(broker, api, administrator.vhost)
    assert warned(core) == []
    core.directory.create("acme")
    lasting = policy(r"^dead-letters\.acme$", operator=True, message_ttl=86_400_000)
    administrator.set(lasting)
    assert until(lambda: warned(core), "the warning") == [
        f"the operator policy {lasting.name!r} sets message-ttl 86400000 for dead-letters.acme"
    ]


def test_one_worker_of_all_looks_after_its_start_and_keeps_what_it_finds(
    make_courier: MakeCourier, administrator: Policies, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(losing_policies, "AFTER_SECONDS", 0.0)
    administrator.set(policy(r"^deliveries\.", max_length=10))
    core, seen = make_courier().core, list[Observation]()
    assert losing_policies.known(core.database) == []
    for _ in range(2):
        losing_policies.PolicyWatch(core, seen.append).look()
    (found,) = losing_policies.known(core.database)
    assert found.startswith("a queue of an account (deliveries.<account>) keeps 10 of 500 messages")
    assert [each.words for each in seen if isinstance(each, Trouble)] == [
        f"messages would be lost: {found}"
    ]
