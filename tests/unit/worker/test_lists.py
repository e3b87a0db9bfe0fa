"""Lists that stand in several places have the same entries everywhere."""

import re
from importlib.resources import files
from typing import Any, get_args, get_type_hints

from pydantic import TypeAdapter

from config.accounts import ACCOUNT_ID
from config.settings import Settings
from consumers.delivery.policy import State
from consumers.intake.events import RecordingReady
from consumers.ledger import ACCOUNT_STATES, Status
from consumers.observe import AccountChanged
from tests.unit.consumers.account_model import RULES
from worker.account_list import URGENT
from worker.cli.output import STYLES
from worker.console.api.models import AccountId
from worker.service import rules_of


def test_every_state_of_an_account_is_observed_counted_shown_and_coloured() -> None:
    assert {*get_args(get_type_hints(AccountChanged)["state"])} == {*State}
    assert {*ACCOUNT_STATES} == {*State, "paused", "disabled"}
    assert sorted(URGENT) == sorted(ACCOUNT_STATES)
    assert {*STYLES} == {*ACCOUNT_STATES, *Status}


def test_the_policys_default_numbers_are_those_of_the_settings_text() -> None:
    assert rules_of(Settings()) == RULES


def test_an_account_id_is_the_same_in_events_the_api_and_the_page() -> None:
    whole = f"^{ACCOUNT_ID.pattern}$"
    event: dict[str, Any] = RecordingReady.model_json_schema()["properties"]
    assert event["account_id"]["pattern"] == whole
    assert TypeAdapter(AccountId).json_schema()["pattern"] == whole
    page = files("worker.console").joinpath("templates", "accounts.html").read_text()
    found = re.search(r'name="account_id" required maxlength="64" pattern="([^"]*)"', page)
    assert found is not None
    assert found[1].replace(r"\-", "-") == ACCOUNT_ID.pattern.replace("{0,63}", "*")
