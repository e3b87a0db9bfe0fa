"""What a process lets others reach that an operator may not have meant."""

import os
from ipaddress import ip_network
from pathlib import Path

import pytest

from config.settings import Settings, load_settings
from worker.risky_settings import risky_settings

DIRS = (Path(__file__).parent,)
PUBLIC = (ip_network("203.0.113.0/24"),)


def names(settings: Settings) -> list[str]:
    return [each.name for each in risky_settings(settings)]


@pytest.fixture
def _somebody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)


@pytest.mark.usefixtures("_somebody")
def test_nothing_is_told_where_folders_and_networks_are_named() -> None:
    assert not names(Settings(source_dirs=DIRS, egress_allow=PUBLIC))


@pytest.mark.usefixtures("_somebody")
def test_the_defaults_are_told_to_be_open() -> None:
    assert names(Settings()) == ["sources", "networks"]


def test_root_is_told_also_where_folders_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert names(Settings(source_dirs=DIRS, egress_allow=PUBLIC)) == ["user"]


@pytest.mark.usefixtures("_somebody")
def test_an_own_deny_list_that_forgets_the_metadata_addresses_is_told(tmp_path: Path) -> None:
    own = {"COURIER_SOURCE_DIRS": str(tmp_path), "COURIER_EGRESS_DENY": "10.0.0.0/8,fc00::/7"}
    settings = load_settings(own, tmp_path / "none")
    private, metadata = risky_settings(settings)
    assert "10.0.0.0/8" not in private.detail
    assert "192.168.0.0/16" in private.detail
    assert "169.254.0.0/16" in metadata.detail
    assert "fd00:ec2::/32" not in metadata.detail


@pytest.mark.usefixtures("_somebody")
def test_a_folder_of_sources_that_is_not_there_is_told_by_its_name(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    absent = (tmp_path / "absent", tmp_path / "file")
    [told] = risky_settings(Settings(source_dirs=(*DIRS, *absent), egress_allow=PUBLIC))
    assert told.name == "sources"
    assert all(str(each) in told.detail for each in absent)
    assert str(DIRS[0]) not in told.detail
