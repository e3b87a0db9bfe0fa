"""A setting that is given empty, as Compose and unit files do for one that is not set."""

from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from config.errors import SettingsError
from config.settings import Settings, load_settings

NO_FILE = Path("/nonexistent/.env")
DEFAULTS = load_settings({}, NO_FILE)
LISTS = {
    "active_ftp_addresses",
    "az_containers",
    "egress_allow",
    "egress_deny",
    "firewall_addresses",
    "gs_buckets",
    "oncall_emails",
    "s3_buckets",
    "secret_keys",
    "source_address",
    "source_dirs",
    "source_logins",
    "trusted_proxies",
}
"""An empty list is none; all but one are empty by default."""
each_setting = pytest.mark.parametrize("field", Settings.model_fields)


def _default(field: str) -> Settings:
    """The settings where this one is empty."""
    return DEFAULTS.model_copy(update={"egress_deny": ()} if field == "egress_deny" else {})


def _name(field: str) -> str:
    return f"COURIER_{field.upper()}"


@each_setting
def test_an_empty_value_means_the_default(field: str, tmp_path: Path) -> None:
    assert load_settings({_name(field): ""}, NO_FILE) == _default(field)
    for line in (f"{_name(field)}=\n", f"{_name(field)}=''\n", f"{_name(field)}\n"):
        (tmp_path / ".env").write_text(line)
        assert load_settings({}, tmp_path / ".env") == _default(field)


@each_setting
def test_an_empty_path_of_a_file_means_that_there_is_none(field: str, tmp_path: Path) -> None:
    name = f"{_name(field)}_FILE"
    assert load_settings({name: ""}, NO_FILE) == DEFAULTS
    (tmp_path / ".env").write_text(f"{name}=\n")
    assert load_settings({}, tmp_path / ".env") == DEFAULTS


@each_setting
@pytest.mark.parametrize("content", ["", "\n"])
def test_an_empty_file_is_an_empty_list_or_a_mistake(
    field: str, content: str, tmp_path: Path
) -> None:
    file = tmp_path / "value"
    file.write_text(content)
    given = {f"{_name(field)}_FILE": str(file)}
    if field in LISTS:
        assert load_settings(given, NO_FILE) == _default(field)
    else:
        with pytest.raises(SettingsError, match=f"{_name(field)}_FILE names .* which is empty"):
            load_settings(given, NO_FILE)


def test_all_of_them_may_be_empty_at_once() -> None:
    names = [_name(field) for field in Settings.model_fields]
    given = dict.fromkeys([*names, *(f"{name}_FILE" for name in names)], "")
    assert load_settings(given, NO_FILE) == _default("egress_deny")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("max_tries", "7"),
        ("otlp_endpoint", "http://127.0.0.1:4318"),
        ("secret_keys", Fernet.generate_key().decode()),
    ],
    ids=lambda value: value if value in Settings.model_fields else "",  # all processes name it so
)
def test_of_a_value_and_its_file_the_one_counts_that_is_not_empty(
    field: str, value: str, tmp_path: Path
) -> None:
    name, file = _name(field), tmp_path / "value"
    file.write_text(value)
    set_plainly = load_settings({name: value}, NO_FILE)
    assert set_plainly != DEFAULTS
    assert load_settings({name: value, f"{name}_FILE": ""}, NO_FILE) == set_plainly
    assert load_settings({name: "", f"{name}_FILE": str(file)}, NO_FILE) == set_plainly


def test_the_dotenv_file_counts_where_the_environments_value_is_empty(tmp_path: Path) -> None:
    dotenv, tries = tmp_path / ".env", tmp_path / "tries"
    tries.write_text("7")
    for line in ("COURIER_MAX_TRIES=7\n", f"COURIER_MAX_TRIES_FILE={tries}\n"):
        dotenv.write_text(line)
        given = {"COURIER_MAX_TRIES": "", "COURIER_MAX_TRIES_FILE": ""}
        assert load_settings(given, dotenv).max_tries == 7


@pytest.mark.parametrize("field", sorted(LISTS))
def test_an_empty_list_of_the_environment_wins_over_the_dotenv_file(
    field: str, tmp_path: Path
) -> None:
    (tmp_path / ".env").write_text(f"{_name(field)}=what is not read\n")
    assert getattr(load_settings({_name(field): ""}, tmp_path / ".env"), field) == ()


def test_an_unknown_name_stops_the_start_also_where_it_is_empty() -> None:
    for name in ("COURIER_MAX_TRYS", "COURIER_MAX_TRYS_FILE"):
        with pytest.raises(SettingsError, match=f"{name} is not a setting"):
            load_settings({name: ""}, NO_FILE)
