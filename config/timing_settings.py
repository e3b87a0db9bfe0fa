"""The fields of the FTP settings that say how fast files are sent, and when."""

from typing import Annotated

from pydantic import AfterValidator, BaseModel, Field

from config.delivery_window import read_window
from config.entered import Input, entered
from config.integers import Whole
from config.models import FROZEN
from config.text import Text
from config.time_zones import TimeZone

MIN_BANDWIDTH, MAX_BANDWIDTH = 10, 1_000_000
"""Kilobytes a second. With less a block of a recording would take minutes."""

MAX_WINDOW = 500
"""Characters, as it is written and as it is stored: three windows on each day of the week need less
than 300."""


def _window(text: str) -> str:
    """As it is stored, which is longer sometimes, and has to be read again."""
    if len(text) > MAX_WINDOW or len(stored := read_window(text)) > MAX_WINDOW:
        raise ValueError(f"must have at most {MAX_WINDOW} characters, with two digits to each hour")
    return stored


DeliveryWindow = Annotated[Text, AfterValidator(_window)]


class TimingSettings(BaseModel):
    """How fast, and when."""

    model_config = FROZEN

    bandwidth: Whole | None = Field(
        default=None,
        ge=MIN_BANDWIDTH,
        le=MAX_BANDWIDTH,
        title="Bandwidth Limit",
        description=f"Kilobytes a second, of all uploads together: {MIN_BANDWIDTH} to "
        f"{MAX_BANDWIDTH}. Left empty: as fast as they go.",
        json_schema_extra=entered(Input.NUMBER),
    )
    time_zone: TimeZone = Field(
        default="UTC",
        max_length=64,
        title="Time Zone",
        description="Of the hours of Delivery Window and of the dates in names, such as "
        "Europe/London.",
        json_schema_extra=entered(Input.TEXT),
    )
    delivery_window: DeliveryWindow | None = Field(
        default=None,
        title="Delivery Window",
        description="The only hours in which files are sent, of the clock in Time Zone: such as "
        "22:00-06:00, Sat-Sun, or Mon-Fri 22:00-06:00; Sat-Sun. Left empty: always.",
        json_schema_extra=entered(Input.TEXT),
    )
