"""How one logs in, and with which keys, is the same in model, API, commands and docs."""

import re
from typing import Any

from config.fields import declared
from config.protocols import LogonType
from config.ssh_keys import KeyType
from tests.unit.test_supply import ROOT
from worker.cli import load
from worker.console.api import models

PAGE = (ROOT / "docs" / "sftp-keys.md").read_text()


def choices(command: Any, option: str) -> list[str]:
    found = next(each for each in command.params if option in each.opts)
    return [each.value for each in found.type_descriptor.annotation]


def test_logon_types_are_the_same_in_model_page_commands_api_and_docs() -> None:
    values = [each.value for each in LogonType]
    labels = {option.value: option.label for option in declared("logon_type").options}
    assert list(labels) == values
    rows = re.findall(r"^\| ([A-Z][a-z ]+) \| `([a-z-]+)` \|", PAGE, re.MULTILINE)
    assert {value: label for label, value in rows} == labels
    assert choices(load("accounts").commands["set"], "--logon-type") == values
    schema = models.SettingsInput.model_json_schema()
    assert schema["$defs"]["LogonType"]["enum"] == values


def test_types_of_keys_are_the_same_in_model_commands_api_and_docs() -> None:
    values = [each.value for each in KeyType]
    assert re.findall(r"^\| `((?:ed|ecdsa|rsa)[a-z0-9-]*)` \|", PAGE, re.MULTILINE) == values
    keys = load("accounts").commands["key"]
    assert choices(keys.commands["generate"], "--type") == values
    assert models.NewKey.model_json_schema()["$defs"]["KeyType"]["enum"] == values
    assert models.NewKey().type is KeyType.ED25519


def test_the_docs_name_every_command_and_every_field_of_keys() -> None:
    for name in load("accounts").commands["key"].commands:
        assert f"accounts key {name}" in PAGE or name == "show"
    for option in ("--private-key", "--passphrase-stdin", "private_key", "passphrase"):
        assert option in PAGE
