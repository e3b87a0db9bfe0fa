"""The page behind the link of an alert: no login, nothing by looking, only for its own address."""

from collections.abc import Iterator
from urllib.parse import urlsplit

import httpx
import pytest

from config.mail_links import MailLinks, Recipient
from tests.integration.console import LIMIT, Console, serving
from tests.integration.platform import MakeCourier

READER = Recipient("acme", "it@customer.example")
OTHER = Recipient("acme", "ops@customer.example")


@pytest.fixture
def console(make_courier: MakeCourier) -> Iterator[Console]:
    courier = make_courier(console_url="https://courier.example", confirm_alert_emails=True)
    courier.core.directory.create("acme", ftp_access=True)
    with serving(courier) as console:
        console.user("anna", "acme")
        yield console


def link(console: Console, recipient: Recipient = READER) -> str:
    """Path and query of the recipient's link."""
    settings = console.platform.core.settings
    parts = urlsplit(MailLinks(settings.secret_keys, settings.console_url).url(recipient))
    return f"{parts.path}?{parts.query}"


def is_stopped(console: Console, recipient: Recipient = READER) -> bool:
    known = console.services.alert_addresses.find(recipient)
    return known is not None and known.stopped_at is not None


def press(client: httpx.Client, where: str, do: str) -> httpx.Response:
    """What the button of the page sends."""
    return client.post("/alert-mail", data={"token": where.partition("token=")[2], "do": do})


def test_looking_changes_nothing_and_pressing_stops(console: Console) -> None:
    where, reader = link(console), console.nobody()
    page = reader.get(where)
    assert page.status_code == 200
    assert READER.address in page.text
    reader.head(where)
    assert not is_stopped(console)

    assert "any more" in press(reader, where, "stop").text

    assert is_stopped(console)
    assert not is_stopped(console, OTHER)
    assert "Send them again" in reader.get(where).text
    press(reader, where, "resume")
    assert not is_stopped(console)
    [stopped] = [e for e in console.services.audit.list(["acme"]) if e.action == "alerts.stopped"]
    assert stopped.actor == f"mail:{READER.address}"


def test_the_button_of_a_mail_program_stops_them(console: Console) -> None:
    program = httpx.Client(
        base_url=console.url, timeout=LIMIT
    )  # it has no page, and so names no origin
    with program:
        answer = program.post(link(console), data={"List-Unsubscribe": "One-Click"})

    assert answer.status_code == 200
    assert is_stopped(console)


def test_the_reader_confirms(console: Console) -> None:
    where, reader = link(console), console.nobody()
    assert "Send me these e-mails" in reader.get(where).text

    press(reader, where, "confirm")

    known = console.services.alert_addresses.find(READER)
    assert known is not None
    assert known.confirmed_at is not None
    assert "Stop these e-mails" in reader.get(where).text


@pytest.mark.parametrize("token", ["", "forged", "gAAAAABm", "%00"])
def test_a_forged_link_opens_nothing(console: Console, token: str) -> None:
    reader = console.nobody()

    assert reader.get(f"/alert-mail?token={token}").status_code == 404
    assert press(reader, f"?token={token}", "stop").status_code == 404


def test_a_link_of_an_account_that_is_no_more_opens_nothing_and_leaves_nothing(
    console: Console,
) -> None:
    where, reader = link(console), console.nobody()
    press(reader, where, "stop")

    console.platform.core.directory.remove("acme")

    assert reader.get(where).status_code == 404
    assert console.platform.core.database["alert_addresses"].count_documents({}) == 0


def test_the_account_shows_who_has_stopped_them(console: Console) -> None:
    press(console.nobody(), link(console), "stop")
    press(console.nobody(), link(console, OTHER), "confirm")

    text = console.browser("anna").get("/accounts/acme/ftp").text
    assert "its reader stopped these e-mails" in text
    first, second = console.program("acme").get("/accounts/acme/alert-addresses").json()
    assert (first["address"], second["address"]) == (READER.address, OTHER.address)
    assert first["stopped_at"] is not None
    assert second["stopped_at"] is None
    assert second["confirmed_at"] is not None
