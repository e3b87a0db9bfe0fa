"""Signing in with a code: asked for, good once, guessed in vain, and told of."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pyotp
import pytest
from pydantic import SecretStr
from pymongo.errors import AutoReconnect

from alerts.outbox import Outbox
from config.audit import Audit
from config.factors import RECOVERY_CODES
from config.signins import BY_CODE, SignIns
from tests.integration.console import PASSWORD, Console
from tests.integration.platform import MakeCourier
from tests.integration.second_factor import (
    code,
    enter,
    entries,
    halfway,
    is_signed_in,
    lengthen_waits,
    let_time_pass,
    served,
    set_up,
)


@pytest.fixture
def console(make_courier: MakeCourier) -> Iterator[Console]:
    with served(make_courier()) as console:
        yield console


# --- signing in -----------------------------------------------------------------------------------


def test_a_sign_in_takes_password_and_code(console: Console) -> None:
    secret, _ = set_up(console)
    client, csrf = halfway(console)
    assert not is_signed_in(client)

    answer = enter(client, csrf, code(secret))

    assert answer.status_code == 303
    assert is_signed_in(client)
    begins = entries(console, "session.begun")
    assert begins[0].actor == "anna"


def test_a_sign_in_leads_to_the_page_that_was_asked_for(console: Console) -> None:
    secret, _ = set_up(console)
    client = console.nobody()
    form = {"login": "anna", "password": PASSWORD, "to": "/accounts/acme/ftp"}
    client.post("/sign-in", data=form)
    csrf = client.get("/sign-in/code").text.split('name="csrf" value="')[1].split('"')[0]

    assert enter(client, csrf, code(secret)).headers["location"] == "/accounts/acme/ftp"


def test_a_code_signs_in_once(console: Console) -> None:
    secret, _ = set_up(console)
    given = code(secret)
    first, second = halfway(console), halfway(console)

    assert enter(*first, given).status_code == 303
    answer = enter(*second, given)

    assert answer.status_code == 422
    assert "used already" in answer.text
    assert not is_signed_in(second[0])


def test_a_recovery_code_signs_in_once(console: Console) -> None:
    _, codes = set_up(console)

    assert enter(*halfway(console), codes[3].upper().replace("-", " ")).status_code == 303
    assert enter(*halfway(console), codes[3]).status_code == 422

    [used] = entries(console, "recovery-code.used")
    assert used.after == {"left": RECOVERY_CODES - 1}


def test_a_code_of_yesterday_opens_nothing(console: Console) -> None:
    secret, _ = set_up(console)
    totp = pyotp.TOTP(secret)
    old = totp.generate_otp(totp.timecode(datetime.now(UTC)) - 2880)

    assert enter(*halfway(console), old).status_code == 422


def test_guessing_codes_is_slowed_down_and_noted(console: Console) -> None:
    secret, _ = set_up(console)
    client, csrf = halfway(console)
    for _ in range(BY_CODE.free):
        assert enter(client, csrf, "000000").status_code == 422
    lengthen_waits(console)

    answer = enter(client, csrf, code(secret))

    assert answer.status_code == 429
    assert int(answer.headers["retry-after"]) >= 1
    again, csrf = halfway(console)
    assert enter(again, csrf, code(secret)).status_code == 429, "the password is no way around"
    [failed] = entries(console, "factor.failed")
    assert (failed.target, failed.after["times"]) == ("anna", BY_CODE.free)
    assert "000000" not in repr(failed)


def test_whoever_knows_the_password_alone_keeps_no_owner_out(console: Console) -> None:
    secret, _ = set_up(console)
    owner, csrf = halfway(console)
    assert enter(owner, csrf, code(secret)).status_code == 303
    let_time_pass(console)
    guesser, guessers = halfway(console)
    for _ in range(BY_CODE.free):
        enter(guesser, guessers, "000000")
    lengthen_waits(console)

    owner.post("/sign-in", data={"login": "anna", "password": PASSWORD})
    csrf = owner.get("/sign-in/code").text.split('name="csrf" value="')[1].split('"')[0]
    assert enter(owner, csrf, code(secret)).status_code == 303


@pytest.mark.parametrize("csrf", ["", "wrong", "ü"])
def test_a_code_without_the_forms_token_signs_nobody_in(console: Console, csrf: str) -> None:
    secret, _ = set_up(console)
    client, _ = halfway(console)

    assert enter(client, csrf, code(secret)).headers["location"] == "/sign-in"
    assert not is_signed_in(client)


def test_a_code_without_the_password_signs_nobody_in(console: Console) -> None:
    secret, _ = set_up(console)
    client = console.nobody()

    assert client.get("/sign-in/code").headers["location"] == "/sign-in"
    assert enter(client, "", code(secret)).headers["location"] == "/sign-in"
    assert not is_signed_in(client)


@pytest.mark.parametrize("what", ["password", "disabled", "everywhere"])
def test_a_sign_in_that_is_under_way_ends_with_the_sessions(console: Console, what: str) -> None:
    secret, _ = set_up(console)
    client, csrf = halfway(console)
    users = console.services.users
    if what == "password":
        users.reset_password("anna", SecretStr("another good password"))
    elif what == "disabled":
        users.set_disabled("anna", disabled=True)
    else:
        users.end_sessions("anna")

    assert enter(client, csrf, code(secret)).headers["location"] == "/sign-in"
    assert not is_signed_in(client)


# --- somebody guesses codes, who knows the password -----------------------------------------------

OWNER = "owner@acme.example"


def warnings(console: Console) -> list[str]:
    found = console.platform.core.database["alerts"].find({"kind": "guesses"})
    return [each["facts"]["login"] for each in found]


def guess(console: Console, times: int, login: str = OWNER) -> None:
    """From another browser each time, whose waits do not count here."""
    for _ in range(times):
        client, csrf = halfway(console, login)
        assert enter(client, csrf, "000000").status_code == 422
        console.platform.core.database["signins"].delete_many({"_id": {"$regex": "^(code|log)"}})


def test_five_wrong_codes_within_a_quarter_of_an_hour_are_mailed_to_the_user_once_a_day(
    console: Console,
) -> None:
    console.user(OWNER, "acme")
    secret, _ = set_up(console, OWNER)
    guess(console, 4)
    client, csrf = halfway(console, OWNER)
    assert enter(client, csrf, code(secret)).status_code == 303, "the user's own sign-in"
    let_time_pass(console)
    assert warnings(console) == []
    guess(console, 1)
    assert warnings(console) == [OWNER]
    guess(console, 6)
    assert warnings(console) == [OWNER]
    [entry] = entries(console, "factor.guessed")
    assert (entry.account_id, entry.target, entry.after["told"]) == ("acme", OWNER, True)

    counts = console.platform.core.database["signins"]
    day = 24 * 3600 * 1000 + 1
    counts.update_many({}, [{"$set": {"told_at": {"$subtract": ["$told_at", day]}}}])
    guess(console, 1)
    assert warnings(console) == [OWNER] * 2


@pytest.mark.parametrize(
    ("part", "call"), [(Outbox, "store_guesses"), (Audit, "record"), (SignIns, "told")]
)
def test_a_warning_that_could_not_be_stored_whole_is_stored_with_the_next_wrong_code(
    console: Console, monkeypatch: pytest.MonkeyPatch, part: type[object], call: str
) -> None:
    console.user(OWNER, "acme")
    set_up(console, OWNER)
    guess(console, 4)

    def fails(*_: object, **__: object) -> None:
        raise AutoReconnect

    client, csrf = halfway(console, OWNER)
    with monkeypatch.context() as patch:
        patch.setattr(part, call, fails)
        assert enter(client, csrf, "000000").status_code == 503
    guess(console, 2)

    assert warnings(console) == [OWNER]
    assert len(entries(console, "factor.guessed")) == 1


def test_wrong_codes_of_a_long_time_are_no_guesses(console: Console) -> None:
    console.user(OWNER, "acme")
    set_up(console, OWNER)
    counts = console.platform.core.database["signins"]
    for _ in range(6):
        guess(console, 1)
        counts.update_many(
            {"wrong_at": {"$exists": True}},
            [
                {
                    "$set": {
                        "wrong_at": {
                            "$map": {
                                "input": "$wrong_at",
                                "in": {"$subtract": ["$$this", 5 * 60 * 1000]},
                            }
                        }
                    }
                }
            ],
        )
    assert warnings(console) == []


def test_where_the_login_is_no_address_the_audit_says_that_nobody_could_be_told(
    console: Console,
) -> None:
    set_up(console)
    guess(console, 5, "anna")
    assert warnings(console) == []
    [entry] = entries(console, "factor.guessed")
    assert entry.after["told"] is False
    page = console.browser("admin").get("/audit?what=sign-ins").text
    assert "guesses codes: nobody could be told" in page
