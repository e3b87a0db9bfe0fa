"""What a setting is, is declared once: model, API, commands and shapes cannot drift apart."""

import inspect

from config.accounts import Account, FtpSettings, Protocol
from config.fields import settings_fields
from config.ftp_settings import FtpSettingsInput
from consumers.ledger import NO_FILES, Totals
from consumers.ledger.states import run_state
from consumers.sharding.presence import Worker
from tests.unit.worker.test_cli_shapes import row
from worker import show
from worker.account_facts import AccountFacts
from worker.cli.account_settings import set_settings
from worker.console.api import models

SETTINGS = FtpSettings(protocol=Protocol.SFTP, host="h.example", username="u")
ENTERED = {field.name for field in settings_fields()}
SHOWN = {field.name for field in settings_fields() if not field.sensitive}


def test_the_api_describes_every_setting_that_it_gives() -> None:
    given = show.settings_shape(SETTINGS)
    assert given is not None
    assert set(models.SettingsShape.model_fields) == set(given)
    assert set(given) == SHOWN | {"host_key", "capabilities"}


def test_the_api_takes_every_setting_that_is_entered_and_those_that_it_gave() -> None:
    assert set(FtpSettingsInput.model_fields) == ENTERED
    taken = models.SettingsInput.model_json_schema()["properties"]
    assert set(taken) == ENTERED | {"host_key", "capabilities"}
    for field in settings_fields():
        assert taken[field.name]["description"] == field.help


def test_every_setting_has_its_option_and_no_option_is_more() -> None:
    options = set(inspect.signature(set_settings).parameters) - {"account_id", "as_json"}
    assert {name.removesuffix("_stdin") for name in options} == ENTERED


def test_the_api_describes_all_that_it_gives_of_an_account() -> None:
    facts = AccountFacts(Account(account_id="acme"), run_state({}), permitted=True, counts=NO_FILES)
    assert set(models.AccountShape.model_fields) == set(show.account_shape(facts))


def test_the_api_describes_all_that_it_gives_of_a_recording() -> None:
    assert tuple(models.DeliveryShape.model_fields) == show.DELIVERY_FIELDS
    assert set(show.delivery_shape(row())) == set(show.DELIVERY_FIELDS)


def test_the_api_describes_all_that_it_gives_of_the_platform() -> None:
    worker = Worker("w", "host", 7, "ready", 1024)
    status = show.status_shape(Totals({}, 0, 0, 0.0), [worker])
    assert set(models.StatusShape.model_fields) == set(status)
    assert set(models.WorkerShape.model_fields) == set(status["worker_processes"][0])
