"""Recordings from stores behind the network: they wait for a store, and cost nobody a try."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme
from pydantic import SecretStr

from config.accounts import Protocol
from deploy.local.customers import AsyncSshServer
from tests.integration.platform import MakeCourier, Platform, running, until
from tests.servers.azurite import ACCOUNT, Azurite
from tests.servers.google import GoogleStorage
from tests.servers.s3 import BUCKET, RcloneS3
from tests.servers.store import Store


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """A store that was away is asked again soon."""
    monkeypatch.setattr("consumers.delivery.policy.SOURCE_DELAYS", (0.3, 1.0))
    monkeypatch.setattr("transports.sources.stores.PAUSE", 0.1)


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """A store behind https that the service trusts."""
    authority = trustme.CA()
    path = tmp_path / "authority.pem"
    authority.cert_pem.write_to_path(str(path))
    monkeypatch.setenv("SSL_CERT_FILE", str(path))
    with Store(authority) as running_store:
        yield running_store


def wait_waiting(courier: Platform, recording_id: str, words: str) -> None:
    """Until it was tried, and waits without a try counted."""
    until(
        lambda: words in (courier.row(recording_id).get("last_error") or {}).get("words", ""),
        f"{recording_id} to wait for its store",
    )
    row = courier.row(recording_id)
    assert (row["tries"], row["last_error"]["kind"]) == (0, "source")
    assert row["status"] in {"queued", "uploading"}


def test_a_file_waits_for_its_store_while_others_are_delivered(
    make_courier: MakeCourier, customer: AsyncSshServer, store: Store
) -> None:
    courier = make_courier(suspend_after=2, retry_delays=(0.0,))
    courier.account("acme", customer.customer, Protocol.SFTP, uploads=1)
    store.does.content, store.does.status = b"x" * 1000, 503
    with running(courier):
        away = courier.publish("acme", store.url, size=1000)
        others = courier.publish_many("acme", ["a.wav", "b.wav", "c.wav"])
        for recording_id in others:
            courier.wait_status(recording_id, "delivered")
        wait_waiting(courier, away, "HTTP 503")
        asked = len(store.does.asked)
        until(lambda: len(store.does.asked) > asked + 5, "more tries than a file has")
        wait_waiting(courier, away, "HTTP 503")
        run = courier.run_state("acme")
        assert (run.state, run.failures) == ("active", 0)
        store.does.status = None
        assert courier.wait_status(away, "delivered")["tries"] == 0
    assert (customer.root / "a.wav").read_bytes() == b"a.wav" * 1000


def test_a_store_that_is_stopped_and_started_loses_nothing(
    make_courier: MakeCourier, customer: AsyncSshServer, tmp_path: Path
) -> None:
    with RcloneS3(tmp_path / "s3") as s3:
        courier = make_courier(
            retry_delays=(0.0,),
            s3_buckets=(f"{BUCKET}/calls/",),
            s3_endpoint=s3.endpoint,
            s3_access_key_id=s3.keys.access_key_id,
            s3_secret_access_key=SecretStr(s3.keys.secret_access_key),
        )
        courier.account("acme", customer.customer, Protocol.SFTP)
        url = s3.put("calls/a.wav", b"a" * 1000)
        with running(courier):
            first = courier.publish("acme", url)
            courier.wait_status(first, "delivered")
            s3.stop()
            second = courier.publish("acme", url, file_name="second.wav")
            wait_waiting(courier, second, "Connection refused")
            s3.start()
            assert courier.wait_status(second, "delivered")["tries"] == 0
            gone = courier.publish("acme", f"s3://{BUCKET}/calls/none.wav")
            forbidden = courier.publish("acme", f"s3://{BUCKET}/others/a.wav")
            for name in (gone, forbidden):
                row = courier.wait_status(name, "dead_lettered")
                assert (row["tries"], row["reason"]) == (5, "source")
    assert (customer.root / "second.wav").read_bytes() == b"a" * 1000


def test_recordings_of_google_are_delivered_checked_and_waited_for(
    make_courier: MakeCourier, customer: AsyncSshServer, tmp_path: Path
) -> None:
    with GoogleStorage(tmp_path / "google") as google:
        courier = make_courier(
            retry_delays=(0.0,),
            gs_buckets=(f"{BUCKET}/calls/",),
            gs_endpoint=google.endpoint,
            gs_credentials=google.credentials,
        )
        courier.account("acme", customer.customer, Protocol.SFTP)
        with running(courier):
            _deliver_and_wait(courier, google, google.put("calls/a.wav", b"a" * 1000))
    assert (customer.root / "first.wav").read_bytes() == b"a" * 1000


def test_recordings_of_azure_are_delivered_checked_and_waited_for(
    make_courier: MakeCourier,
    customer: AsyncSshServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder = tmp_path / "azurite"
    folder.mkdir()
    with Azurite(folder, trustme.CA()) as azurite:
        monkeypatch.setenv("SSL_CERT_FILE", str(azurite.trusted))
        courier = make_courier(
            retry_delays=(0.0,),
            az_containers=(f"{BUCKET}/calls/",),
            az_account=ACCOUNT,
            az_endpoint=azurite.endpoint,
            az_key=azurite.key,
        )
        courier.account("acme", customer.customer, Protocol.SFTP)
        with running(courier):
            _deliver_and_wait(courier, azurite, azurite.put("calls/a.wav", b"a" * 1000))
    assert (customer.root / "first.wav").read_bytes() == b"a" * 1000


def _deliver_and_wait(courier: Platform, cloud: GoogleStorage | Azurite, url: str) -> None:
    """`url`: a recording of 1000 times a."""
    good = hashlib.sha256(b"a" * 1000).hexdigest()
    first = courier.publish("acme", url, file_name="first.wav", size=1000, sha256=good)
    courier.wait_status(first, "delivered")
    short = courier.publish("acme", url, file_name="short.wav", size=999)
    other = courier.publish("acme", url, file_name="other.wav", sha256="0" * 64)
    gone = courier.publish("acme", url.replace("a.wav", "none.wav"))
    forbidden = courier.publish("acme", url.replace("calls", "others"))
    for name in (short, other, gone, forbidden):
        row = courier.wait_status(name, "dead_lettered")
        assert (row["tries"], row["reason"]) == (5, "source")
    cloud.stop()
    late = courier.publish("acme", url, file_name="late.wav")
    wait_waiting(courier, late, "Connection refused")
