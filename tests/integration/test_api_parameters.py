"""Parameters in the address of the API that it does not know."""

from collections.abc import Iterator

import httpx
import pytest

from consumers.ledger.bulk_actions import Subject
from tests.integration.console import Console, serving
from tests.integration.platform import MakeCourier


@pytest.fixture
def console(make_courier: MakeCourier) -> Iterator[Console]:
    with serving(make_courier()) as console:
        yield console


def refusal(answer: httpx.Response) -> tuple[int, str, str]:
    error = answer.json()["error"]
    return answer.status_code, error.get("field", ""), error["message"]


def test_a_misspelt_filter_is_refused_where_it_would_have_meant_all(console: Console) -> None:
    provider = console.program(None)
    for act in ("discard", "replay"):
        assert refusal(provider.post(f"/dead-letters/{act}?acount_id=acme")) == (
            422,
            "acount_id",
            "There is no parameter 'acount_id' here. Did you mean 'account_id'?",
        )
    assert not [*console.services.ledger.bulk_actions.recent(None, 5, Subject.DEAD_LETTERS)]


def test_no_address_takes_a_parameter_that_it_does_not_describe(console: Console) -> None:
    provider = console.program(None)
    console.platform.core.directory.create("acme")
    described = provider.get("/openapi.json").json()["paths"]
    asked = 0
    for path, operations in described.items():
        for method in operations:
            there = path.removeprefix("/api/v1").replace("{account_id}", "acme")
            if "{" in there:
                continue  # it names what does not exist here, which is told first
            found = provider.request(method, there, params={"nobody_knows": "x" * 300})
            status, field, words = refusal(found)
            assert (status, field) == (422, "nobody_knows"), (method, there, found.text)
            assert words.startswith("There is no parameter 'nobody_knows' here."), words
            asked += 1
    assert asked > 30


def test_every_parameter_that_is_described_is_known(console: Console) -> None:
    provider = console.program(None)
    console.platform.core.directory.create("acme")
    described = provider.get("/openapi.json").json()["paths"]
    for path, operations in described.items():
        for parameter in operations.get("get", {}).get("parameters", ()):
            there = path.removeprefix("/api/v1").replace("{account_id}", "acme")
            if parameter["in"] != "query" or "{" in there:
                continue
            found = provider.get(there, params={parameter["name"]: "x"})
            assert "There is no parameter" not in found.text, (there, parameter["name"])


def test_whoever_has_no_token_learns_of_no_parameter(console: Console) -> None:
    answer = httpx.get(f"{console.url}/api/v1/accounts?nobody_knows=1")
    assert answer.status_code == 401
    assert "nobody_knows" not in answer.text
