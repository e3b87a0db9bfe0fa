"""What signs for S3 is an extra: where buckets are set and it is missing, that is said at once."""

import pytest

from config.errors import SettingsError
from config.settings import Settings
from worker.store_checks import check_library


def test_buckets_without_what_signs_for_them_stop_the_start_in_a_sentence(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("worker.store_checks.find_spec", lambda _: None)
    check_library(Settings())
    with pytest.raises(SettingsError, match=r"install 'courier\[s3\]', or remove the setting"):
        check_library(Settings(s3_buckets=("recordings",)))
    told = r"COURIER_GS_BUCKETS is set, but gcsfs is not installed: install 'courier\[clouds\]'"
    with pytest.raises(SettingsError, match=told):
        check_library(Settings(gs_buckets=("recordings",)))
    with pytest.raises(SettingsError, match="COURIER_AZ_CONTAINERS is set, but adlfs is not"):
        check_library(Settings(az_containers=("recordings",), az_account="platform"))


def test_with_it_nothing_is_said() -> None:
    check_library(Settings(s3_buckets=("recordings",)))
