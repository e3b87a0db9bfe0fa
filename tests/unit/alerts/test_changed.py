"""What the e-mail about changed FTP settings says, and that no field can make it say more."""

from dataclasses import fields, replace
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import SMTP
from typing import Any

import pytest

from alerts.changed import SUBJECT, compose
from alerts.facts import from_document, to_document
from config.ftp_settings import FtpSettings
from config.notices import SettingsNotice, notice_facts
from config.protocols import Protocol
from tests.unit.alerts.facts import EXAMPLE, PLATFORM, SENDER

NOTICE = SettingsNotice(
    account_id="acme",
    key="6565a0c0a0c0a0c0a0c0a0c0",
    actor="it@acme.example",
    before={"Host": "ftp.acme.example", "Email Alerts": "a@acme.example"},
    after={"Host": "ftp.evil.example", "Email Alerts": "none"},
    recipients=("a@acme.example",),
    at=EXAMPLE.at,
)
BODY = """\
The FTP settings of your account acme at the Advanced Services Platform were changed at \
2026-11-23 17:00:00 UTC by it@acme.example.

Host: ftp.evil.example (before: ftp.acme.example)
Email Alerts: none (before: a@acme.example)

You are told because this address was among its Email Alerts. If this was intended there is \
nothing that you have to do; if not, tell the administrator of your account or your service \
provider at once.
"""
STORED = FtpSettings(
    protocol=Protocol.SFTP,
    host="ftp.acme.example",
    username="u",
    email_alerts=("a@acme.example", "b@acme.example"),
)


def composed(notice: SettingsNotice = NOTICE) -> EmailMessage:
    message = compose(notice, sender=SENDER, platform=PLATFORM)
    return message_from_bytes(message.as_bytes(), policy=SMTP)


def text(message: EmailMessage) -> str:
    content = message.get_content()
    assert isinstance(content, str)
    return content.replace("\r\n", "\n")


def test_it_tells_what_it_was_and_what_it_is() -> None:
    message = composed(replace(NOTICE, at=EXAMPLE.at.replace(hour=17, minute=0, second=0)))
    assert text(message) == BODY
    assert (message["Subject"], message["To"]) == (SUBJECT, "a@acme.example")


def test_of_settings_that_were_removed_it_tells_what_they_were() -> None:
    told = text(composed(replace(NOTICE, after={})))
    assert "were removed at" in told
    assert "\nHost: ftp.acme.example\n" in told


def test_no_field_adds_a_line() -> None:
    lines = len(text(composed()).splitlines())
    evil = "x\r\nBcc: all@x.example\u2028y"
    for field in fields(NOTICE):
        value = getattr(NOTICE, field.name)
        if isinstance(value, str):
            facts: dict[str, Any] = {field.name: evil}
            changed = composed(replace(NOTICE, **facts))
            assert len(text(changed).splitlines()) == lines
            assert changed["Bcc"] is None
    changed = composed(replace(NOTICE, after={"Host": evil, "Email Alerts": evil}))
    assert len(text(changed).splitlines()) == lines


def test_the_facts_are_read_back_as_they_were_stored() -> None:
    assert from_document(SettingsNotice, to_document(NOTICE)) == NOTICE


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"path": "in"}, {"Path"}),
        ({"host": "other.example", "username": "v"}, {"Host", "Username"}),
        ({"host_keys": (f"SHA256:{'a' * 43}",)}, {"Host Keys"}),
        ({"email_alerts": ("b@acme.example", "c@acme.example")}, {"Email Alerts"}),
        ({"email_alerts": (*STORED.email_alerts, "c@acme.example")}, None),
        ({"uploads": 2, "recovery_email": True}, None),
    ],
)
def test_told_is_what_diverts_recordings_or_silences_somebody(
    changes: dict[str, object], told: set[str] | None
) -> None:
    facts = notice_facts("acme", "me", STORED, STORED.model_copy(update=changes))
    assert (facts and set(facts["before"])) == told
    silent = STORED.model_copy(update={"email_alerts": ()})
    assert notice_facts("acme", "me", silent, None) is None
    assert notice_facts("acme", "me", None, STORED) is None
