"""`courier check` asks the stores of recordings that the settings name."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme

from tests.acceptance.program import Program
from tests.acceptance.stage import NOWHERE
from tests.servers.azurite import ACCOUNT, Azurite
from tests.servers.google import GoogleStorage
from tests.servers.s3 import BUCKET, Keys, RcloneS3
from tests.servers.store import Store


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RcloneS3]:
    with RcloneS3(tmp_path_factory.mktemp("s3")) as server:
        yield server


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    authority = trustme.CA()
    path = tmp_path / "authority.pem"
    authority.cert_pem.write_to_path(str(path))
    monkeypatch.setenv("SSL_CERT_FILE", str(path))
    with Store(authority) as running:
        yield running


def stores(courier: Program, **changes: str) -> dict[str, Any]:
    """What the check says of the stores."""
    found = {each["name"]: each for each in courier.inside("check", "--json", **changes).json}
    told: dict[str, Any] = found["stores"]
    return told


def given(s3: RcloneS3, keys: Keys | None = None) -> dict[str, str]:
    mine = keys or s3.keys
    return {
        "S3_BUCKETS": f"{BUCKET}/calls/",
        "S3_ENDPOINT": s3.endpoint,
        "S3_ACCESS_KEY_ID": mine.access_key_id,
        "S3_SECRET_ACCESS_KEY": mine.secret_access_key,
    }


def test_without_stores_nothing_is_said_of_them(courier: Program) -> None:
    assert "stores" not in courier.inside("check").out


def test_a_bucket_that_can_be_read_is_told(courier: Program, s3: RcloneS3) -> None:
    told = stores(courier, **given(s3))
    assert (told["ok"], told["detail"]) == (True, f"s3://{BUCKET}/calls/ can be read")


def test_a_bucket_that_cannot_be_read_is_told_with_what_to_do(
    courier: Program, s3: RcloneS3
) -> None:
    wrong = given(s3, Keys())
    told = stores(courier, **wrong)
    assert not told["ok"]
    assert told["detail"].startswith(f"s3://{BUCKET}/calls/: ")
    assert "s3:GetObject" in told["advice"]
    assert wrong["S3_SECRET_ACCESS_KEY"] not in str(told)
    away = stores(courier, **{**given(s3), "S3_ENDPOINT": f"http://{NOWHERE}"})
    assert away["detail"] == f"s3://{BUCKET}/calls/: Connection refused"


def google(server: GoogleStorage, folder: Path) -> dict[str, str]:
    key = folder / "key.json"
    key.write_text(server.credentials.get_secret_value())
    return {
        "GS_BUCKETS": f"{BUCKET}/calls/",
        "GS_ENDPOINT": server.endpoint,
        "GS_CREDENTIALS_FILE": str(key),
    }


def azure(server: Azurite, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    monkeypatch.setenv("SSL_CERT_FILE", str(server.trusted))
    return {
        "AZ_CONTAINERS": BUCKET,
        "AZ_ACCOUNT": ACCOUNT,
        "AZ_ENDPOINT": server.endpoint,
        "AZ_KEY": server.key.get_secret_value(),
    }


def test_stores_of_google_are_told(courier: Program, tmp_path: Path) -> None:
    with GoogleStorage(tmp_path / "google") as server:
        mine = google(server, tmp_path)
        told = stores(courier, **mine)
        assert (told["ok"], told["detail"]) == (True, f"gs://{BUCKET}/calls/ can be read")
        for prefix in ("a#b/", "what?/", "50%20x/"):
            odd = stores(courier, **{**mine, "GS_BUCKETS": f"{BUCKET}/{prefix}"})
            assert odd["detail"] == f"gs://{BUCKET}/{prefix} can be read"
        denied = stores(courier, **mine, EGRESS_DENY="127.0.0.0/8")
        assert "no connection may go" in denied["detail"]
        assert "Storage Object Viewer" in denied["advice"]


def test_stores_of_azure_are_told(
    courier: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "azurite"
    folder.mkdir()
    with Azurite(folder, trustme.CA()) as server:
        mine = azure(server, monkeypatch)
        told = stores(courier, **mine)
        assert (told["ok"], told["detail"]) == (True, f"az://{BUCKET}/ can be read")
        nowhere = stores(courier, **{**mine, "AZ_CONTAINERS": "nowhere"})
        assert nowhere["detail"] == "az://nowhere/: ContainerNotFound (HTTP 404)"
        refused = stores(courier, **{**mine, "AZ_KEY": "eHh4"})
        assert refused["detail"] == f"az://{BUCKET}/: AuthorizationFailure (HTTP 403)"


def test_a_host_that_takes_its_login_is_told_from_one_that_does_not(
    courier: Program, store: Store
) -> None:
    logins = {"SOURCE_LOGINS": f"https+bearer://hunter2@{store.authority}"}
    assert stores(courier, **logins)["detail"] == f"{store.authority} can be read"
    store.does.authorization = "Bearer other"
    refused = stores(courier, **logins)
    assert refused["detail"] == f"{store.authority}: HTTP 401 Unauthorized"
    assert "hunter2" not in str(refused)


def test_a_store_without_tls_is_warned_of(courier: Program, s3: RcloneS3) -> None:
    warnings = [
        each["detail"]
        for each in courier.inside("check", "--json", **given(s3)).json
        if each["warning"]
    ]
    assert any("without TLS" in each for each in warnings)
