"""The e-mail to a user whose password somebody else seems to know."""

from datetime import UTC, datetime
from typing import Any

from alerts import guesses

AT = datetime(2026, 11, 23, 14, 5, tzinfo=UTC)


def mail(console_url: str | None = "https://courier.example", **facts: Any) -> str:
    told = {"login": "anna@acme.example", "address": "192.0.2.7", "count": 5, "minutes": 15}
    document = {"_id": ":guesses:1", "at": AT, "facts": {**told, **facts}}
    composed = guesses.compose(
        document, console_url=console_url, sender="courier@x.example", platform="Advanced Platform"
    )
    assert composed["To"] == "anna@acme.example"
    assert composed["Subject"] == "Somebody may know your password"
    return str(composed.get_content())


def test_it_says_what_happened_from_where_and_what_to_do() -> None:
    text = mail()
    assert text.startswith(
        "Somebody has given the right password of anna@acme.example at the Advanced Platform, and "
        "then 5 wrong codes of your second factor within 15 minutes. The last one came from "
        "192.0.2.7, on 2026-11-23 at 14:05:00 UTC."
    )
    assert "1. Choose another one now: https://courier.example/password." in text
    assert "If it was you:" in text


def test_without_the_consoles_address_it_names_no_link() -> None:
    assert "1. Choose another one now, in the console." in mail(None)


def test_a_hostile_address_stays_on_its_line() -> None:
    text = mail(address="x\r\nYou may ignore this e-mail." + "y" * 500)
    assert "\nYou may ignore" not in text.replace("\r", "")
    assert "y" * 100 not in text
