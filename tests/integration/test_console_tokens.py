"""What a token may do, how long, and with whom it ends; how often it may ask."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from config.tokens import MAX_TOKENS
from tests.integration.console import Console, serving
from tests.integration.platform import MakeCourier
from worker.console import limits


@pytest.fixture
def console(make_courier: MakeCourier) -> Iterator[Console]:
    courier = make_courier()
    courier.core.directory.create("acme", ftp_access=True)
    courier.core.directory.create("acme.sub", parent="acme", ftp_access=True)
    with serving(courier) as console:
        console.user("anna", "acme")
        yield console


def made(program: httpx.Client, **fields: object) -> dict[str, Any]:
    answer = program.post("/tokens", json={"name": "made", "account_id": "acme", **fields})
    assert answer.status_code == 201, answer.text
    token: dict[str, Any] = answer.json()
    return token


def by_page(console: Console, **fields: str) -> str:
    """The secret of a token that anna makes."""
    page = console.browser("anna").send_form(
        "/accounts/acme/people", do="create-token", name="hers", **fields
    )
    return page.text.split('<code class="secret">')[1].split("<")[0]


def opens(program: httpx.Client) -> bool:
    return program.get("/accounts").status_code == 200


def test_a_token_that_may_only_look_changes_nothing(console: Console) -> None:
    token = made(console.program("acme"), scope="read")
    assert (token["scope"], token["expires_at"]) == ("read", None)
    reader = console.bearer(token["token"])

    assert opens(reader)
    refused = [
        reader.post("/accounts/acme/suspend"),
        reader.put("/accounts/acme.sub/permission"),
        reader.patch("/accounts/acme", json={"name": "x"}),
        reader.delete(f"/tokens/{token['token_id']}"),
        reader.post("/tokens", json={"name": "more", "account_id": "acme"}),
    ]
    assert {each.status_code for each in refused} == {403}
    assert "scope 'write'" in refused[0].json()["error"]["message"]
    assert not console.platform.run_state("acme").paused


def test_a_token_ends_with_its_time(console: Console) -> None:
    token = made(console.program("acme"), days=30)
    program = console.bearer(token["token"])
    ends = datetime.fromisoformat(token["expires_at"])
    assert timedelta(days=29) < ends - datetime.now(UTC) <= timedelta(days=30)
    assert opens(program)

    console.platform.core.database["tokens"].update_one(
        {"_id": token["token_id"]}, {"$set": {"expires_at": datetime.now(UTC)}}
    )

    assert program.get("/accounts").status_code == 401


def test_a_token_that_a_token_made_ends_no_later_than_that(console: Console) -> None:
    first = made(console.program("acme"), days=2)
    program = console.bearer(first["token"])

    assert (
        made(program)["expires_at"] == made(program, days=90)["expires_at"] == first["expires_at"]
    )
    assert made(program, days=1)["expires_at"] < first["expires_at"]
    assert made(program)["created_by"] == f"token:{first['token_id']}"


@pytest.mark.parametrize("how", ["removed", "account"])
def test_the_tokens_of_a_user_end_with_it(console: Console, how: str) -> None:
    own = console.bearer(by_page(console))
    handed_on = console.bearer(made(own, account_id="acme.sub")["token"])
    others = console.program("acme")
    assert opens(own)
    assert opens(handed_on)

    if how == "removed":
        assert console.program(None).delete("/users/anna").status_code == 204
    else:
        console.services.users.remove_of("acme")

    assert not opens(own)
    assert not opens(handed_on)
    assert opens(others)
    console.user("anna", "acme")
    assert not opens(own), "a later user of this login is somebody else"


def test_the_tokens_of_a_user_that_is_locked_out_rest_until_it_is_let_in(console: Console) -> None:
    own = console.bearer(by_page(console))
    console.services.users.set_disabled("anna", disabled=True)
    assert not opens(own)

    console.services.users.set_disabled("anna", disabled=False)

    assert opens(own)


def test_the_page_makes_tokens_with_scope_and_time(console: Console) -> None:
    reader = console.bearer(by_page(console, scope="read", days="7"))
    [token] = reader.get("/tokens", params={"account_id": "acme"}).json()

    assert (token["scope"], token["created_by"]) == ("read", "anna")
    assert token["expires_at"] is not None
    page = console.browser("anna")
    assert "read only" in page.get("/accounts/acme/people").text
    for days in ("0", "x", "99999"):
        where = "/accounts/acme/people"
        notice = page.notice(where, do="create-token", name="n", days=days)
        assert "days" in notice.lower()


def test_tokens_of_the_version_before_still_open(console: Console) -> None:
    token = made(console.program("acme"))
    console.platform.core.database["tokens"].update_one(
        {"_id": token["token_id"]},
        {"$unset": {"read_only": "", "expires_at": "", "created_by": "", "owner": ""}},
    )

    program = console.bearer(token["token"])
    assert opens(program)
    assert program.post("/accounts/acme/suspend").status_code == 200


def test_an_account_has_a_bounded_number_of_tokens(console: Console) -> None:
    console.platform.core.database["tokens"].insert_many(
        [{"_id": f"t{number}", "account_id": "acme"} for number in range(MAX_TOKENS)]
    )
    answer = console.program(None).post("/tokens", json={"name": "more", "account_id": "acme"})

    assert answer.status_code == 409
    assert "revoke" in answer.json()["error"]["message"]


# --- how often ----------------------------------------------------------------------------------


def test_a_token_that_asks_too_often_has_to_wait_and_nobody_else(console: Console) -> None:
    hasty, other = console.program("acme"), console.program("acme")
    slow = limits.Buckets(limits.Rate(burst=5, seconds=600))
    console.services.limits._tokens = slow

    codes = [hasty.get("/accounts").status_code for _ in range(7)]
    assert codes == [200] * 5 + [429] * 2
    answer = hasty.get("/accounts")
    assert set(answer.json()) == {"error"}
    assert int(answer.headers["retry-after"]) > 0
    assert opens(other)


def test_many_tokens_of_one_account_are_no_way_around(console: Console) -> None:
    console.services.limits._accounts = limits.Buckets(limits.Rate(burst=4, seconds=600))

    programs = [console.program("acme") for _ in range(3)]
    codes = [each.get("/accounts").status_code for each in programs * 2]

    assert codes == [200] * 4 + [429] * 2
    assert opens(console.program("acme.sub"))
    assert opens(console.program(None))
