"""What a mail says, to the letter, and to whom."""

from alerts.personal import common
from alerts.relay import AlertTried
from alerts.suspension import Suspension, compose
from alerts.trial import TrialMail
from config.notices import SettingsNotice
from deploy.local.customers import SmtpSink
from tests.integration.alerts.desk import Open
from tests.unit.alerts.facts import EXAMPLE, PLATFORM, RECOVERY, SENDER, suspension

BODY = """\
There have been 10 failures sending files via FTP from the Advanced Services Platform to \
ftp.customer.example with username acme

FTP has been suspended for 15 minutes for your account and it will be retried once this timer has \
expired, please note that your FTP requests are being queued up.

Last error message from your server: 530 Login incorrect.

Account: acme
Files waiting: 12, the oldest since 2026-11-23 14:05:00 UTC
Next try: 2026-11-23 15:15:00 UTC, with the oldest file.
Cause: The server refuses this username with this password. (login-refused)
Who can mend it: the customer
What to check: Check username, password and logon type, and that the user is not locked.

Nothing is lost: the files that wait are kept, and they are sent by themselves, the oldest first, \
as soon as your server takes one again.

To stop these e-mails, have this address taken out of the account's Email Alerts, in its FTP \
Settings or by your service provider.
"""


def test_every_email_about_an_account_leads_to_its_page_where_the_console_has_an_address(
    open_desk: Open, smtp_sink: SmtpSink
) -> None:
    desk = open_desk(console_url="https://courier.example")
    notice = SettingsNotice(
        "acme", "k", "admin", {"Host": "a"}, {"Host": "b"}, ("it@customer.example",), EXAMPLE.at
    )
    trial = TrialMail("acme", "k", "admin", ("it@customer.example",), EXAMPLE.at)
    for alert in (suspension(recipients=("it@customer.example",)), RECOVERY, notice, trial):
        desk.outbox.store(alert)
    assert desk.outbox.send_due() == 4
    line = "\nThe account in the console: https://courier.example/accounts/acme\n"
    for mail in smtp_sink.messages:
        text = mail.message.get_content().replace("\r\n", "\n")
        assert text.count(line) == 1
        assert text.index(line) < text.index("To stop these e-mails")
    beginning = BODY.partition("\nTo stop")[0]
    assert smtp_sink.messages[0].message.get_content().replace("\r\n", "\n").startswith(beginning)


def test_the_alert_arrives_to_the_letter(open_desk: Open, smtp_sink: SmtpSink) -> None:
    desk = open_desk()
    desk.outbox.store(EXAMPLE)
    assert desk.outbox.waiting() == 1
    assert desk.outbox.send_due() == 1
    [mail] = smtp_sink.messages
    assert mail.sender == SENDER
    assert mail.recipients == EXAMPLE.recipients
    assert mail.message["Subject"] == "FTP Suspension Alert"
    assert mail.message["From"] == SENDER
    assert mail.message["To"] == "it@customer.example, ops@customer.example"
    assert mail.message["Date"] == "Mon, 23 Nov 2026 15:00:00 +0000"
    assert mail.message["Auto-Submitted"] == "auto-generated"
    assert mail.message.get_content_type() == "text/plain"
    assert mail.message.get_content().replace("\r\n", "\n") == BODY
    assert desk.tried == [AlertTried("sent", "acme:3")]
    assert desk.outbox.waiting() == 0
    assert desk.send_again() == 0


def test_fields_with_line_breaks_add_neither_header_nor_line(
    open_desk: Open, smtp_sink: SmtpSink
) -> None:
    hostile = "a\r\nBcc: spy@evil.example\r\n\r\n.\r\nMAIL FROM:<x@y>\r\n"
    desk = open_desk()
    desk.outbox.store(
        suspension(
            account_id="acme",
            host=hostile,
            username=hostile,
            words=hostile,
            advice=hostile,
            recipients=("it@customer.example", f"it@b.example{hostile}"),
        )
    )
    assert desk.outbox.send_due() == 1
    [mail] = smtp_sink.messages
    assert mail.recipients == ("it@customer.example",)
    assert "Bcc" not in mail.message
    lines = mail.message.get_content().replace("\r\n", "\n").split("\n")
    assert len(lines) == len(BODY.split("\n"))


def test_text_that_looks_like_a_query_is_stored_as_text(
    open_desk: Open, smtp_sink: SmtpSink
) -> None:
    desk = open_desk()
    desk.outbox.store(suspension(username="$$NOW", words="$kind", host="$x"))
    assert desk.outbox.send_due() == 1
    assert "to $x with username $$NOW" in smtp_sink.messages[0].message.get_content()


def test_the_password_of_the_mail_server_is_not_stored(
    open_desk: Open, smtp_sink: SmtpSink
) -> None:
    desk = open_desk(url=smtp_sink.url.replace("://", "://courier:hunter2@"))
    desk.outbox.store(EXAMPLE)
    assert desk.outbox.send_due() == 0
    assert desk.document()["last_error"]
    assert "hunter2" not in repr(list(desk.database["alerts"].find()))


def test_the_end_of_an_outage_is_told_after_its_last_suspension_under_an_id_of_its_own(
    open_desk: Open, smtp_sink: SmtpSink
) -> None:
    desk = open_desk()
    desk.outbox.store(suspension(number=RECOVERY.number))
    for _ in range(2):
        desk.outbox.store(RECOVERY)
    assert desk.outbox.send_due() == 2
    first, second = smtp_sink.messages
    assert first.message["Subject"] == "FTP Suspension Alert"
    assert second.message["Subject"] == "FTP Suspension Ended"
    assert second.recipients == RECOVERY.recipients
    assert desk.document("acme:11:recovery")["state"] == "sent"
    desk.outbox.store(RECOVERY)
    assert desk.send_again() == 0


def test_the_message_sent_is_the_message_composed(open_desk: Open, smtp_sink: SmtpSink) -> None:
    facts: Suspension = suspension(username="läufer", words="530 Пароль неверен")
    desk = open_desk()
    desk.outbox.store(facts)
    desk.outbox.send_due()
    expected = common(compose(facts, sender=SENDER, platform=PLATFORM))
    assert (
        smtp_sink.messages[0].message.get_content().replace("\r\n", "\n") == expected.get_content()
    )
    assert smtp_sink.messages[0].message["Message-ID"] == expected["Message-ID"]
