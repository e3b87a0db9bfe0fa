"""The names of the commands."""

import pytest

from config.entered import Input
from config.fields import settings_fields
from worker.cli import GROUPS, app, load


@pytest.mark.parametrize("name", GROUPS)
def test_each_command_of_the_help_can_be_loaded_and_tells_its_own(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert load(name).help
    with pytest.raises(SystemExit) as ending:
        app([name, "--help"], prog_name="courier")
    assert ending.value.code == 0
    assert f"courier {name}" in capsys.readouterr().out


def test_every_field_of_the_settings_is_an_option_with_the_help_of_its_declaration() -> None:
    options = {each.name: each for each in load("accounts").commands["set"].params}
    for field in settings_fields():
        is_typed = field.kind is Input.PASSWORD
        name = f"{field.name}_stdin" if is_typed else field.name
        assert options[name].help.startswith(field.help)
        assert f"--{name.replace('_', '-')}" in options[name].opts
