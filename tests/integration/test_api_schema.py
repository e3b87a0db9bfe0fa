"""Requests made of the API's own description: whatever is sent, the server does not fail."""

from collections.abc import Iterator
from typing import Any

import hypothesis
import pytest
import schemathesis
from hypothesis import HealthCheck
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok

from tests.integration.console import LIMIT, Console, serving
from tests.integration.platform import WAIT_SECONDS, MakeCourier
from transports.base import Limits

EXAMPLES = 12
SHORT = Limits(resolve=0.5, connect=0.5, login=0.5, reply=0.5, stall=0.5)


@pytest.fixture
def console(make_courier: MakeCourier) -> Iterator[Console]:
    courier = make_courier()
    courier.core.directory.create("acme", ftp_access=True)
    with serving(courier) as console:
        yield console


def test_no_request_makes_the_server_fail(
    console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("worker.ftp_settings.Limits", lambda: SHORT)
    api = console.program(None)
    schema = schemathesis.openapi.from_url(
        f"{console.url}/api/v1/openapi.json", timeout=WAIT_SECONDS
    )
    operations = [found.ok() for found in schema.get_all_operations() if isinstance(found, Ok)]
    asked = 0

    for operation in operations:

        @hypothesis.settings(
            max_examples=EXAMPLES,
            deadline=None,
            derandomize=True,
            database=None,
            suppress_health_check=list(HealthCheck),
        )
        @hypothesis.given(case=operation.as_strategy())
        def ask(case: schemathesis.Case[Any]) -> None:
            nonlocal asked
            if asked % 2 and "account_id" in case.path_parameters:
                case.path_parameters["account_id"] = "acme"  # deeper than an unknown one
            answer = case.call(base_url=console.url, headers=dict(api.headers), timeout=LIMIT)
            asked += 1
            case.validate_response(answer, checks=[not_a_server_error])
            assert answer.status_code < 500, answer.text

        ask()

    assert len(operations) > 30
    assert asked > len(operations)
