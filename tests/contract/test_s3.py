"""Recordings in S3, read from real servers of it."""

import os
from collections.abc import Iterator
from ipaddress import ip_network
from pathlib import Path
from urllib.parse import quote

import pytest

from config.stores import Bucket, S3Settings
from tests.servers.cutting import CuttingProxy
from tests.servers.s3 import BUCKET, Keys, RcloneS3, S3Server, SeaweedFS
from transports.base import Egress, Limits
from transports.errors import (
    SourceAway,
    SourceChanged,
    SourceMissing,
    SourceRefused,
    SourceUnreadable,
)
from transports.sources.source import open_source
from transports.sources.stores import Stores

CONTENT = os.urandom(3_000_000)


@pytest.fixture(scope="module")
def rclone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RcloneS3]:
    with RcloneS3(tmp_path_factory.mktemp("rclone")) as server:
        server.put("calls/a.wav", CONTENT)
        yield server


@pytest.fixture(scope="module")
def weed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SeaweedFS]:
    with SeaweedFS(tmp_path_factory.mktemp("weed")) as server:
        server.put("calls/a.wav", CONTENT)
        yield server


@pytest.fixture(params=["rclone", "weed"])
def s3(request: pytest.FixtureRequest) -> S3Server:
    """Each of the servers, with an object `calls/a.wav`."""
    server: S3Server = request.getfixturevalue(request.param)
    return server


def read(url: str, settings: S3Settings, stores: Stores | None = None) -> bytes:
    with open_source(
        url,
        dirs=(),
        max_bytes=2**30,
        egress=Egress(),
        limits=Limits(),
        stores=stores or Stores(s3=settings),
    ) as source:
        return b"".join(source)


def test_an_object_is_read_whole_and_again(s3: S3Server) -> None:
    stores = Stores(s3=s3.settings())
    with open_source(
        f"s3://{BUCKET}/calls/a.wav",
        dirs=(),
        max_bytes=len(CONTENT),
        egress=Egress(),
        limits=Limits(),
        stores=stores,
    ) as source:
        assert source.size == len(CONTENT)
        assert b"".join(source) == CONTENT
        assert b"".join(source) == CONTENT


KEYS = ["a b.wav", "100%.wav", "ü☎.wav", "a+b&c=d.wav", "a%2Fb.wav", "q?x#y.wav", "~(1)'!*.wav"]


@pytest.mark.parametrize("key", KEYS)
def test_keys_are_percent_decoded(s3: S3Server, key: str) -> None:
    s3.put(f"names/{key}", key.encode())
    url = f"s3://{BUCKET}/names/{quote(key, safe='')}"
    assert read(url, s3.settings()) == key.encode()


def test_an_empty_object_is_a_recording(s3: S3Server) -> None:
    assert read(s3.put("empty.wav", b""), s3.settings()) == b""


def test_a_download_that_is_cut_goes_on(s3: S3Server) -> None:
    with CuttingProxy(s3.port, after=1_200_000) as proxy:
        settings = s3.settings(endpoint=proxy.endpoint)
        assert read(f"s3://{BUCKET}/calls/a.wav", settings) == CONTENT
        assert 3 <= proxy.connections <= 5


def test_an_object_that_is_replaced_while_it_is_read_is_noticed(s3: S3Server) -> None:
    url = s3.put("replaced.wav", CONTENT)
    with CuttingProxy(s3.port, after=1_200_000) as proxy:
        stores = Stores(s3=s3.settings(endpoint=proxy.endpoint))
        with (  # noqa: PT012 - replaced in the middle
            pytest.raises(SourceChanged),
            open_source(
                url, dirs=(), max_bytes=2**30, egress=Egress(), limits=Limits(), stores=stores
            ) as source,
        ):
            for number, _ in enumerate(source):
                if not number:
                    s3.put("replaced.wav", CONTENT[::-1])


def test_an_object_that_is_not_there_is_missing(s3: S3Server) -> None:
    with pytest.raises(SourceMissing) as missing:
        read(f"s3://{BUCKET}/calls/none.wav", s3.settings())
    assert missing.value.words.startswith("NoSuchKey")


def test_a_bucket_that_is_not_there_is_the_platforms_to_mend(s3: S3Server) -> None:
    settings = s3.settings(buckets=(Bucket("nowhere"),))
    with pytest.raises(SourceRefused, match="NoSuchBucket"):
        read("s3://nowhere/a.wav", settings)


@pytest.mark.parametrize("which", ["access_key_id", "secret_access_key"])
def test_a_wrong_key_is_the_platforms_to_mend(s3: S3Server, which: str) -> None:
    wrong = {name: value for name, value in vars(Keys()).items() if name == which}
    keys = Keys(**{**vars(s3.keys), **wrong})
    stores = Stores(s3=s3.settings(keys))
    for _ in range(2):
        with pytest.raises(SourceRefused) as refused:
            read(f"s3://{BUCKET}/calls/a.wav", s3.settings(keys), stores)
        assert keys.secret_access_key not in refused.value.words


def test_a_store_that_is_away_is_waited_for(s3: S3Server) -> None:
    with CuttingProxy(s3.port, after=0) as proxy, pytest.raises(SourceAway) as away:
        read(f"s3://{BUCKET}/calls/a.wav", s3.settings(endpoint=proxy.endpoint))
    assert not isinstance(away.value, SourceRefused)


def test_a_bucket_without_rights_is_the_platforms_to_mend(weed: SeaweedFS) -> None:
    with pytest.raises(SourceRefused) as refused:
        read(f"s3://{BUCKET}/calls/a.wav", weed.settings(weed.stranger))
    assert refused.value.words.startswith("AccessDenied: ")


def test_whoever_may_read_and_not_list_reads(weed: SeaweedFS) -> None:
    assert read(f"s3://{BUCKET}/calls/a.wav", weed.settings(weed.reader)) == CONTENT


def test_only_the_buckets_and_prefixes_of_the_settings_are_read(weed: SeaweedFS) -> None:
    weed.put("calls-of-others/a.wav", b"secret")
    settings = weed.settings(buckets=(Bucket("another"), Bucket(BUCKET, "calls/")))
    assert read(f"s3://{BUCKET}/calls/a.wav", settings) == CONTENT
    for url in (
        f"s3://{BUCKET}/calls-of-others/a.wav",
        f"s3://{BUCKET}/calls/../calls-of-others/a.wav",
        f"s3://{BUCKET}/calls/%2e%2e/calls-of-others/a.wav",
        f"s3://{BUCKET}/calls//a.wav",
        f"s3://{BUCKET}/calls",
        "s3://third/calls/a.wav",
    ):
        with pytest.raises(SourceUnreadable) as refused:
            read(url, settings)
        assert not isinstance(refused.value, SourceAway)


def test_without_a_bucket_in_the_settings_nothing_is_read(weed: SeaweedFS) -> None:
    with pytest.raises(SourceUnreadable, match="COURIER_S3_BUCKETS"):
        read(f"s3://{BUCKET}/calls/a.wav", weed.settings(buckets=()))


def test_credentials_are_found_as_amazons_tools_find_them(
    weed: SeaweedFS, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    mine = weed.settings(access_key_id=None, secret_access_key=None, region=None)
    file = tmp_path / "credentials"
    file.write_text(
        "[calls]\n"
        f"aws_access_key_id = {weed.keys.access_key_id}\n"
        f"aws_secret_access_key = {weed.keys.secret_access_key}\n"
    )
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(file))
    monkeypatch.setenv("AWS_PROFILE", "calls")
    assert read(f"s3://{BUCKET}/calls/a.wav", mine) == CONTENT


def test_without_credentials_the_file_waits(
    weed: SeaweedFS, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    # Another region, so that it is not the signer of another test.
    mine = weed.settings(access_key_id=None, secret_access_key=None, region="eu-north-1")
    with pytest.raises(SourceRefused, match="No credentials for S3"):
        read(f"s3://{BUCKET}/calls/a.wav", mine)


def test_a_connection_goes_only_where_egress_lets_it(weed: SeaweedFS) -> None:
    denied = Egress(deny=(ip_network("127.0.0.0/8"),))
    with (
        pytest.raises(SourceAway, match="no connection may go"),
        open_source(
            f"s3://{BUCKET}/calls/a.wav",
            dirs=(),
            max_bytes=2**30,
            egress=denied,
            limits=Limits(),
            stores=Stores(s3=weed.settings()),
        ),
    ):
        pytest.fail("it was connected to")
