"""What is taken for a number, in every field that is one."""

import json
import math
from collections.abc import Iterator
from typing import Any, get_args

import pytest
from pydantic import BaseModel, ConfigDict, ValidationError, create_model

from config.capabilities import Capabilities
from config.fields import explain
from config.ftp_settings import FtpSettings, FtpSettingsInput, KnownHost
from consumers.intake.events import RecordingReady
from worker.console.api import models

LEAST = {"protocol": "ftp", "host": "ftp.customer.example", "username": "acme"}
TAKEN: list[type[BaseModel]] = [
    FtpSettings,
    FtpSettingsInput,
    KnownHost,
    Capabilities,
    RecordingReady,
    models.SettingsInput,
    *models.Taken.__subclasses__(),
]


def _types(annotation: Any) -> Iterator[Any]:
    yield annotation
    for each in get_args(annotation):
        yield from _types(each)


def number_fields() -> Iterator[Any]:
    """A model of each field alone."""
    for model in TAKEN:
        for name, info in model.model_fields.items():
            if {int, float} & {each for each in _types(info.annotation) if isinstance(each, type)}:
                alone: Any = {"value": (info.annotation, info)}
                strict = ConfigDict(strict=bool(model.model_config.get("strict")))
                field = create_model(name, __config__=strict, **alone)
                yield pytest.param(field, id=f"{model.__name__}.{name}")


@pytest.mark.parametrize("field", [*number_fields()])
@pytest.mark.parametrize("value", [True, False])
def test_a_truth_value_is_no_number_in_any_field(field: type[BaseModel], *, value: bool) -> None:
    with pytest.raises(ValidationError):
        field.model_validate({"value": value})
    with pytest.raises(ValidationError):
        field.model_validate_json(json.dumps({"value": value}))


@pytest.mark.parametrize("value", [21, 21.0, "21", " 21 ", "+21", "0021"])
def test_a_whole_number_is_taken_however_it_is_written(value: Any) -> None:
    assert FtpSettingsInput.model_validate({**LEAST, "port": value}).port == 21


@pytest.mark.parametrize(
    "value",
    [
        True,
        21.5,
        math.nan,
        math.inf,
        1e300,
        "21.0",
        "2_1",
        "0x15",
        "2 1",
        "²¹",
        "٢١",
        "1" * 5000,
        "",
        "true",
        [21],
        {"port": 21},
    ],
)
def test_whatever_is_none_is_told_in_words(value: Any) -> None:
    with pytest.raises(ValidationError) as refused:
        FtpSettingsInput.model_validate({**LEAST, "port": value})
    assert explain(refused.value) == {"port": "Port must be a whole number from 1 to 65535."}


def test_the_description_has_the_limits_of_a_number() -> None:
    port = models.SettingsInput.model_json_schema()["properties"]["port"]
    assert (port["type"], port["minimum"], port["maximum"]) == ("integer", 1, 65535)
