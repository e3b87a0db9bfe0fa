"""What a token may do, how long, and with whom it ends; how often it may ask."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from config.sessions import PROOF_SECONDS
from config.tokens import MAX_TOKENS
from tests.integration.console import PASSWORD, Console, serving
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
        "/accounts/acme/people", do="create-token", name="hers", current=PASSWORD, **fields
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
        notice = page.notice(where, do="create-token", name="n", days=days, current=PASSWORD)
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


# --- the maker's way in ---------------------------------------------------------------------------


def test_a_token_leaves_its_makers_way_in_alone(console: Console) -> None:
    """A session left open must not be enough, nor a token that was made in it."""
    own = console.bearer(by_page(console))
    handed_on = console.bearer(made(own)["token"])
    before = console.services.users.get("anna")

    for token in (own, handed_on):
        refused = [
            token.post("/users/anna/reset"),
            token.post("/users/ANNA/reset", json={"password": "another good password"}),
            token.delete("/users/anna/second-factor"),
            token.delete("/users/anna/sessions"),
            token.patch("/users/anna", json={"disabled": True}),
            token.patch("/users/anna", json={"read_only": True}),
            token.delete("/users/anna"),
        ]
        assert {each.status_code for each in refused} == {409}, [each.text for each in refused]
        assert "who made this token" in refused[0].json()["error"]["message"]

    assert console.services.users.get("anna") == before
    console.user("bert", "acme.sub")
    assert own.post("/users/bert/reset").status_code == 200


def test_a_token_resets_no_password_by_which_it_would_outlast_itself(console: Console) -> None:
    own, provider = console.bearer(by_page(console)), console.program(None)
    console.user("bert", "acme")
    console.user("root", None)
    before = console.services.users.get("bert"), console.services.users.get("root")

    for token, login in ((own, "bert"), (own, "BERT"), (provider, "root")):
        refused = token.post(f"/users/{login}/reset", json={"password": "another good password"})
        assert refused.status_code == 409
        assert "no password in its own account" in refused.json()["error"]["message"]

    assert (console.services.users.get("bert"), console.services.users.get("root")) == before
    assert provider.post("/users/bert/reset").status_code == 200


def test_a_token_adds_no_user_who_would_outlast_it(console: Console) -> None:
    own, provider = console.bearer(by_page(console)), console.program(None)
    for token, account_id in ((own, "acme"), (provider, None)):
        refused = token.post("/users", json={"login": "intruder", "account_id": account_id})
        assert refused.status_code == 409
        assert "adds no user to its own account" in refused.json()["error"]["message"]
    assert console.services.users.find("intruder") is None

    for number, (token, account_id) in enumerate(((own, "acme.sub"), (provider, "acme"))):
        new = {"login": f"new{number}", "account_id": account_id}
        assert token.post("/users", json=new).status_code == 201


def test_a_token_lets_nobody_of_its_own_account_in_or_do_more(console: Console) -> None:
    """Neither one who was locked out, nor one who might only look: both would outlast it."""
    own, provider = console.bearer(by_page(console)), console.program(None)
    console.user("root", None)
    console.user("bert", "acme")
    console.user("carl", "acme.sub")
    for login in ("bert", "carl", "root"):
        console.services.users.set_disabled(login, disabled=True)
        console.services.users.set_read_only(login, read_only=True)

    for token, login in ((own, "bert"), (own, "BERT"), (provider, "root")):
        before = console.services.users.get(login)
        refused = [
            token.patch(f"/users/{login}", json={"disabled": False}),
            token.patch(f"/users/{login}", json={"read_only": False}),
            token.delete(f"/users/{login}/second-factor"),
        ]
        assert {each.status_code for each in refused} == {409}
        assert all("of its own account" in each.json()["error"]["message"] for each in refused)
        assert console.services.users.get(login) == before
        again = {"disabled": True, "read_only": True}
        assert token.patch(f"/users/{login}", json=again).status_code == 200

    change = {"disabled": False, "read_only": False}
    for token, login in ((own, "carl"), (provider, "bert")):
        user = token.patch(f"/users/{login}", json=change).json()
        assert (user["disabled"], user["read_only"]) == (False, False)


def test_a_token_refused_one_of_two_changes_makes_neither(console: Console) -> None:
    own = console.bearer(by_page(console))
    console.user("bert", "acme")
    console.services.users.set_read_only("bert", read_only=True)

    answer = own.patch("/users/bert", json={"disabled": True, "read_only": False})

    assert answer.status_code == 409
    assert not console.services.users.get("bert").disabled


def test_a_page_lets_those_of_its_own_account_in(console: Console) -> None:
    console.user("bert", "acme")
    console.services.users.set_disabled("bert", disabled=True)
    browser, where = console.browser("anna"), "/accounts/acme/people"

    assert "was enabled" in browser.notice(where, do="enable", login="bert", current=PASSWORD)

    assert not console.services.users.get("bert").disabled


WAYS_IN = ["create-token", "create-user", "reset", "reset-factor", "enable", "may-change"]


@pytest.mark.parametrize("do", [*WAYS_IN, "disable", "only-look", "remove"])
@pytest.mark.parametrize("current", ["", "not the right one"])
def test_a_session_left_open_touches_nobodys_way_in(
    console: Console, do: str, current: str
) -> None:
    console.user("bert", "acme", read_only=True)
    console.services.users.set_disabled("bert", disabled=True)
    before = list(console.services.users.list(["acme"]))
    browser, where = console.browser("anna"), "/accounts/acme/people"

    asked = browser.send_form(where, do=do, name="way back", login="bert", current=current)

    assert asked.status_code == (422 if current else 200)
    assert ("password is not right" in asked.text) == bool(current)
    assert f'name="do" value="{do}"' in asked.text
    named = "way back" if do == "create-token" else "bert"
    assert re.search(rf"What will be done:.*{named}.*</strong>", asked.text)
    assert 'autocomplete="current-password"' in asked.text
    assert current not in asked.text or not current
    assert list(console.services.tokens.list(["acme"])) == []
    assert list(console.services.users.list(["acme"])) == before
    assert console.actions("acme") in ([], ["sign-in.failed"])


def test_the_password_is_asked_for_once_in_a_while_and_of_each_session(console: Console) -> None:
    console.user("bert", "acme")
    browser, where = console.browser("anna"), "/accounts/acme/people"
    assert "disabled" in browser.notice(where, do="disable", login="bert", current=PASSWORD)
    assert "enabled" in browser.notice(where, do="enable", login="bert")

    elsewhere = console.browser("anna").send_form(where, do="disable", login="bert")
    assert "Your password, please" in elsewhere.text
    sessions = console.platform.core.database["sessions"]
    old = {"$subtract": ["$$NOW", (PROOF_SECONDS + 1) * 1000]}
    sessions.update_many({"proved": {"$exists": True}}, [{"$set": {"proved": old}}])
    assert "Your password, please" in browser.send_form(where, do="disable", login="bert").text
    assert not console.services.users.get("bert").disabled


def test_a_way_in_is_taken_away_at_once(console: Console) -> None:
    token = made(console.program("acme"))
    browser, where = console.browser("anna"), "/accounts/acme/people"
    revoked = browser.notice(where, do="revoke-token", token_id=token["token_id"])
    assert "revoked" in revoked


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
