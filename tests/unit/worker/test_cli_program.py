"""The names of the commands."""

import pytest

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
