"""Who hears of an account's outages, and how often: the part of its settings that needs no test.

These fields say nothing of the server, so that they can be changed during the very outage that
fills the mailboxes. They belong to the FTP settings, which declare them by inheriting these models:
two of them, because other fields stand between on the screen.
"""

from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field

from config.entered import Input, entered
from config.models import FROZEN
from config.text import EmailAddress

MAX_EMAIL_ALERTS = 50


class AlertFrequency(StrEnum):
    """How often people are told of an outage."""

    EVERY = "every"
    OUTAGE = "outage"


class AlertRecipients(BaseModel):
    """Who hears of outages."""

    model_config = FROZEN

    email_alerts: tuple[EmailAddress, ...] = Field(
        default=(),
        max_length=MAX_EMAIL_ALERTS,
        title="Email Alerts",
        description="Who is told when files cannot be delivered; several addresses by comma.",
        json_schema_extra=entered(Input.LIST),
    )


class AlertWishes(BaseModel):
    """How often, and of what."""

    model_config = FROZEN

    alert_frequency: AlertFrequency = Field(
        default=AlertFrequency.EVERY,
        title="Alert Frequency",
        description="An outage suspends the account again and again until the server is back.",
        json_schema_extra=entered(
            Input.SELECT,
            options={"every": "Every suspension", "outage": "Once an outage, and then daily"},
        ),
    )
    recovery_email: bool = Field(
        default=False,
        title="Recovery Email",
        description="Tell the addresses of Email Alerts also when the server is back.",
        json_schema_extra=entered(Input.CHECKBOX),
    )


class AlertSettingsInput(AlertWishes, AlertRecipients):
    """What a person enters of them. An unknown field is refused: a misspelt one must not be lost
    silently."""

    model_config = ConfigDict(extra="forbid", defer_build=False)  # a body of the API is built there


ALERT_FIELDS = tuple(AlertSettingsInput.model_fields)
"""Their names, in the order of the screen."""
