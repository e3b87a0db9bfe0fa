"""A forgotten password: the link in an e-mail, once, soon, and no word of who exists."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from config.audit import Entry
from config.password_links import LINK_SECONDS
from deploy.local.customers import SmtpSink
from tests.integration.console import PASSWORD, Console, serving
from tests.integration.platform import MakeCourier
from worker.console.limits import PASSWORD_MAILS, PASSWORD_SOURCE, Buckets, Rate

ANNA, NOBODY = "anna@acme.example", "nobody@acme.example"
OTHER = "another good password"


@pytest.fixture
def console(make_courier: MakeCourier) -> Iterator[Console]:
    courier = make_courier(console_url="https://courier.example")
    courier.core.directory.create("acme", ftp_access=True)
    with serving(courier) as console:
        console.user(ANNA, "acme")
        console.user("admin", None)
        yield console


def ask(client: httpx.Client, login: str) -> httpx.Response:
    return client.post("/forgotten-password", data={"login": login})


def token_of(console: Console, sink: SmtpSink, login: str = ANNA) -> str:
    """The token of a link that was asked for and sent."""
    assert ask(console.nobody(), login).status_code == 200
    assert console.services.outbox.send_due() == 1
    text = str(sink.messages[-1].message.get_content())
    urls: list[str] = re.findall(r"https://courier\.example/\S+", text)
    parts = urlsplit(urls[0])
    assert parts.path == "/new-password"
    [token] = parse_qs(parts.query)["token"]
    return token


def choose(client: httpx.Client, token: str, new: str = OTHER, again: str = "") -> httpx.Response:
    return client.post("/new-password", data={"token": token, "new": new, "again": again or new})


def sign_in(client: httpx.Client, password: str, login: str = ANNA) -> int:
    return client.post("/sign-in", data={"login": login, "password": password}).status_code


def entries(console: Console, action: str) -> list[Entry]:
    return [each for each in console.services.audit.list(None, 100) if each.action == action]


def test_the_link_of_an_email_sets_another_password_once(
    console: Console, smtp_sink: SmtpSink
) -> None:
    browser, client = console.browser(ANNA), console.nobody()
    token = token_of(console, smtp_sink)
    mail = smtp_sink.messages[-1]
    assert mail.recipients == (ANNA,)
    assert mail.message["Subject"] == "Your new password"
    assert ANNA in client.get("/new-password", params={"token": token}).text
    assert sign_in(console.nobody(), PASSWORD) == 303, "looking changes nothing"

    assert choose(client, token).headers["location"] == "/sign-in"

    assert browser.get("/accounts/acme").status_code == 303
    assert sign_in(console.nobody(), PASSWORD) == 422
    assert sign_in(console.nobody(), OTHER) == 303
    again = choose(client, token, "a third good password")
    assert again.status_code == 422
    assert "does not work any more" in again.text
    assert sign_in(console.nobody(), OTHER) == 303
    [asked], [renewed] = entries(console, "password.asked"), entries(console, "password.renewed")
    assert (asked.actor, asked.target, asked.account_id) == ("unknown", ANNA, "acme")
    assert asked.after["addresses"] == ["127.0.0.1"]
    assert (renewed.actor, renewed.account_id) == (ANNA, "acme")


def test_the_link_is_stored_nowhere_in_clear(console: Console, smtp_sink: SmtpSink) -> None:
    token = token_of(console, smtp_sink)
    database = console.platform.core.database
    kept = repr([list(database[name].find()) for name in database.list_collection_names()])

    assert token not in kept
    assert sha256(token.encode()).hexdigest() in kept
    assert OTHER not in kept


def test_nobody_is_told_whether_a_login_exists(console: Console, smtp_sink: SmtpSink) -> None:
    client = console.nobody()
    known, unknown = ask(client, ANNA), ask(client, NOBODY)
    no_address = ask(client, "admin")

    assert known.status_code == unknown.status_code == no_address.status_code == 200
    assert known.text.replace(ANNA, NOBODY) == unknown.text
    assert known.text.replace(ANNA, "admin") == no_address.text
    assert console.services.outbox.send_due() == 1
    assert [each.recipients for each in smtp_sink.messages] == [(ANNA,)]
    stored = list(console.platform.core.database["alerts"].find({"kind": "password"}))
    assert len(stored) == 3, "the same is written for all"
    assert NOBODY not in repr(stored), "it may be a mistyped password"
    assert [each.target for each in entries(console, "password.asked")] == [ANNA]


def test_hostile_logins_are_answered_like_all_others(console: Console) -> None:
    client = console.nobody()
    for login in ("", " ", "x" * 60_000, "a@b\r\nBcc: x@y", "<script>alert(1)</script>", "\x00ü"):
        answer = ask(client, login)
        assert answer.status_code == 200
        assert "<script>alert" not in answer.text
    assert console.services.outbox.send_due() == 0


def test_a_login_gets_few_emails_and_nobody_is_told(console: Console, smtp_sink: SmtpSink) -> None:
    client = console.nobody()
    for _ in range(PASSWORD_MAILS.burst + 2):
        assert "is on its way" in ask(client, ANNA).text

    console.services.outbox.send_due()

    assert len(smtp_sink.messages) == PASSWORD_MAILS.burst


def test_a_source_asks_only_so_often(console: Console) -> None:
    client = console.nobody()
    for number in range(PASSWORD_SOURCE.burst):
        assert ask(client, f"user{number}@acme.example").status_code == 200

    answer = ask(client, ANNA)

    assert answer.status_code == 429
    assert int(answer.headers["retry-after"]) > 0
    assert console.services.outbox.send_due() == 0


def test_a_link_is_good_for_a_short_time(console: Console, smtp_sink: SmtpSink) -> None:
    token = token_of(console, smtp_sink)
    past = {"$subtract": ["$$NOW", (LINK_SECONDS + 1) * 1000]}
    console.platform.core.database["users"].update_one(
        {"_id": ANNA}, [{"$set": {"reset.at": past}}]
    )

    assert choose(console.nobody(), token).status_code == 422
    assert sign_in(console.nobody(), PASSWORD) == 303


def test_a_later_link_ends_the_earlier_one(console: Console, smtp_sink: SmtpSink) -> None:
    first = token_of(console, smtp_sink)
    second = token_of(console, smtp_sink)

    assert choose(console.nobody(), first).status_code == 422
    assert choose(console.nobody(), second).status_code == 303


@pytest.mark.parametrize("what", ["changed", "disabled", "removed"])
def test_a_link_ends_with_what_it_was_for(console: Console, smtp_sink: SmtpSink, what: str) -> None:
    token = token_of(console, smtp_sink)
    if what == "changed":
        form = {"current": PASSWORD, "new": OTHER, "again": OTHER}
        assert console.browser(ANNA).send_form("/password", **form).status_code == 303
    elif what == "disabled":
        console.services.users.set_disabled(ANNA, disabled=True)
    else:
        console.services.users.remove(ANNA)

    assert choose(console.nobody(), token, "a third good password").status_code == 422


def test_a_password_that_breaks_a_rule_uses_no_link_up(
    console: Console, smtp_sink: SmtpSink
) -> None:
    token, client = token_of(console, smtp_sink), console.nobody()

    assert "12 to 1024" in choose(client, token, "short").text
    assert "the same twice" in choose(client, token, OTHER, "something else").text
    assert choose(client, token).status_code == 303


@pytest.mark.parametrize("token", ["", "x", "a" * 43, "a" * 50_000, "ü" * 43, '{"$ne": null}'])
def test_what_is_no_link_of_ours_opens_nothing(console: Console, token: str) -> None:
    client = console.nobody()
    console.platform.core.database["users"].update_one({"_id": ANNA}, {"$set": {"reset": None}})

    assert choose(client, token).status_code == 422
    assert client.get("/new-password", params={"token": token[:2000]}).status_code == 422
    assert sign_in(client, PASSWORD) == 303


def test_an_email_that_comes_too_late_is_not_sent(console: Console, smtp_sink: SmtpSink) -> None:
    ask(console.nobody(), ANNA)
    past = {"$subtract": ["$$NOW", (LINK_SECONDS + 400) * 1000]}
    alerts = console.platform.core.database["alerts"]
    alerts.update_many({"kind": "password"}, [{"$set": {"at": past}}])

    assert console.services.outbox.send_due() == 0

    assert smtp_sink.messages == []
    assert [each["state"] for each in alerts.find({"kind": "password"})] == ["left-out"]


def test_the_second_factor_is_asked_for_after_it_too(console: Console, smtp_sink: SmtpSink) -> None:
    console.platform.core.database["users"].update_one(
        {"_id": ANNA}, {"$set": {"factor": {"secret": "x", "step": 0, "recovery": []}}}
    )
    assert choose(console.nobody(), token_of(console, smtp_sink)).status_code == 303

    form = {"login": ANNA, "password": OTHER}
    assert console.nobody().post("/sign-in", data=form).headers["location"] == "/sign-in/code"


def test_without_the_consoles_address_the_page_says_whom_to_ask(make_courier: MakeCourier) -> None:
    with serving(make_courier()) as console:
        console.user(ANNA, None)
        client = console.nobody()
        page, answer = client.get("/forgotten-password"), ask(client, ANNA)

        for each in (page, answer):
            assert "administrator above you" in each.text
            assert "<form" not in each.text
        assert console.platform.core.database["alerts"].count_documents({"kind": "password"}) == 0


def test_a_worker_of_the_version_before_leaves_the_email_alone(console: Console) -> None:
    """That one claims what is `waiting`, and ends its round at a kind that it does not know."""
    ask(console.nobody(), ANNA)

    alerts = console.platform.core.database["alerts"]
    assert alerts.count_documents({"state": "waiting"}) == 0
    assert console.services.outbox.waiting() == 1


def test_an_email_of_an_unknown_kind_holds_up_none_of_the_others(
    console: Console, smtp_sink: SmtpSink
) -> None:
    ask(console.nobody(), ANNA)
    alerts = console.platform.core.database["alerts"]
    alerts.insert_one(
        {
            "_id": ":later:1",
            "kind": "of a later version",
            "facts": {},
            "state": "waiting",
            "at": datetime.now(UTC),
            "due": datetime.now(UTC) - timedelta(days=1),
            "to": [ANNA],
            "remaining": [ANNA],
            "tries": 0,
            "refusals": 0,
        }
    )

    with pytest.raises(KeyError):
        console.services.outbox.send_due()

    assert [mail.recipients for mail in smtp_sink.messages] == [(ANNA,)]


@pytest.mark.parametrize("login", [ANNA, NOBODY])
def test_what_was_asked_for_is_kept_for_an_hour_and_not_for_months(
    console: Console, login: str
) -> None:
    console.services.outbox.ensure_indexes()
    ask(console.nobody(), login)

    alerts = console.platform.core.database["alerts"]
    [kept] = alerts.find({"kind": "password"})
    assert kept["gone"] - kept["at"] == timedelta(seconds=2 * LINK_SECONDS)
    assert alerts.index_information()["gone_1"]["expireAfterSeconds"] == 0


def test_many_sources_together_are_limited_too(console: Console) -> None:
    limits = console.services.limits
    limits._password_links = Buckets(Rate(burst=20, seconds=3600))
    for number in range(20):
        limits.ask_for_password(f"10.0.0.{number}")

    answer = ask(console.nobody(), ANNA)

    assert answer.status_code == 429
    assert console.platform.core.database["alerts"].count_documents({}) == 0
