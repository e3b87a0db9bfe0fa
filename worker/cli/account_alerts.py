"""`courier accounts alerts`."""

from collections.abc import Iterator
from typing import Annotated, Any

import typer

from alerts.history import AlertHistory
from config.accounts import AlertFrequency
from config.alert_settings import AlertSettingsInput
from config.fields import declared
from config.ftp_settings import FtpSettings
from worker.alert_mail import (
    KINDS,
    OUTCOMES,
    TOLD_ALREADY,
    alerts_shape,
    save_alerts,
    send_test_mail,
    sent_mail_shape,
)
from worker.cli import context, output
from worker.cli.apps import command_group
from worker.cli.options import AccountId, field_option
from worker.cli.output import AsJson, Cell
from worker.cli.record import actor
from worker.cli.refusal import Refused
from worker.cli.tables import Column
from worker.show import Shape

_COLUMNS = (
    Column("AT", least=17),  # the minute whole
    Column("WHAT", weight=1, least=None),  # which WHY tells too
    Column("TO", weight=2, least=14),
    Column("OUTCOME", least=18, keeps="all"),
    Column("WHY", least=20, keeps="all"),
)

app = command_group()


@app.command("show")
def show_alerts(account_id: AccountId, *, as_json: AsJson = False) -> None:
    """Show who hears of the account's outages, and how often."""
    with context.core() as core:
        settings = core.directory.get(account_id).settings
    if settings is None:
        raise Refused(
            f"{account_id} has no FTP settings, which alerts belong to: "
            f"'courier accounts set {account_id}' stores them."
        )
    _print(settings, as_json=as_json)


@app.command("set")
def set_alerts(
    account_id: AccountId,
    *,
    email_alerts: Annotated[
        str | None,
        field_option("email_alerts", metavar="A@X,B@Y", also="An empty text removes all."),
    ] = None,
    alert_frequency: Annotated[AlertFrequency | None, field_option("alert_frequency")] = None,
    recovery_email: Annotated[
        bool | None, field_option("recovery_email", "--recovery-email/--no-recovery-email")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Change who hears of the account's outages, and how often.

    The server is not tested, so this works during an outage. Options left out keep their stored
    value. Addresses that are taken out are told of it.
    """
    given = {
        "email_alerts": None if email_alerts is None else _addresses(email_alerts),
        "alert_frequency": alert_frequency,
        "recovery_email": recovery_email,
    }
    changes: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    if not changes:
        raise typer.BadParameter("Nothing was given to change: see --help for the options.")
    entered = AlertSettingsInput(**changes)
    checked = {name: getattr(entered, name) for name in changes}
    with context.core() as core:
        saved = save_alerts(core, account_id, checked, actor=actor())
    _print(saved, as_json=as_json)


@app.command("history")
def history(
    account_id: AccountId,
    *,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="Most e-mails to list.")] = 20,
    before: Annotated[
        str | None, typer.Option(metavar="ALERT", help="Only those older than this one.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List the e-mails about the account: when, why, to whom, and what became of each.

    The newest come first. They are kept for 90 days.
    """
    with context.core() as core:
        core.directory.get(account_id)
        mails = list(AlertHistory(core.database).list(account_id, limit, before))
    shapes = [sent_mail_shape(mail) for mail in mails]
    if as_json:
        output.print_json(shapes)
        return
    output.print_table(
        _COLUMNS,
        [row for shape in shapes for row in _rows(shape)],
        empty=f"No e-mail about {account_id} is known.",
    )


@app.command("test")
def send_test(account_id: AccountId, *, as_json: AsJson = False) -> None:
    """Send a test e-mail to the account's Email Alerts addresses.

    It goes the way of every alert: 'courier accounts alerts history' tells what became of it.
    """
    with context.core() as core:
        recipients = send_test_mail(core, account_id, actor=actor())
    if as_json:
        output.print_json({"recipients": list(recipients)})
        return
    output.say(f"A test e-mail is on its way to {', '.join(recipients)}.")
    output.note(f"'courier accounts alerts history {account_id}' tells what became of it.")


def _print(settings: FtpSettings, *, as_json: bool) -> None:
    shape = alerts_shape(settings)
    if as_json:
        output.print_json(shape)
        return
    label = next(
        option.label
        for option in declared("alert_frequency").options
        if option.value == shape["alert_frequency"]
    )
    output.print_page(
        (
            ("e-mail alerts", ", ".join(shape["email_alerts"]) or "none"),
            ("alert frequency", label),
            ("recovery e-mail", "yes" if shape["recovery_email"] else "no"),
        )
    )


def _rows(shape: Shape) -> Iterator[tuple[Cell, ...]]:
    """A line for each recipient; one for an e-mail that nobody was to get."""
    about = (output.moment(shape["at"]), KINDS[shape["kind"]])
    if not shape["recipients"]:
        outcome = TOLD_ALREADY if shape["told_already"] else ""
        yield (*about, "nobody", outcome, shape["why"])
    for each in shape["recipients"]:
        words = f" ({each['words']})" if each["words"] else ""
        yield (*about, each["address"], f"{OUTCOMES[each['outcome']]}{words}", shape["why"])


def _addresses(value: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in value.split(",") if part.strip())
