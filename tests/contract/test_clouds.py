"""Recordings in Google's and Azure's stores, read from fake-gcs-server and Azurite."""

import gc
import json
import os
import resource
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from ipaddress import ip_network
from pathlib import Path
from typing import Protocol
from urllib.parse import quote

import pytest
import trustme
from pydantic import SecretStr

from config.clouds import AzureSettings, GoogleSettings
from config.stores import Bucket
from tests.servers.azurite import ACCOUNT, CONTAINER, Azurite
from tests.servers.cutting import CuttingProxy
from tests.servers.google import BUCKET, GoogleStorage
from transports.base import Egress, Limits
from transports.errors import (
    SourceAway,
    SourceChanged,
    SourceMissing,
    SourceRefused,
    SourceUnreadable,
)
from transports.sources.clouds.reading import PIECE
from transports.sources.source import open_source
from transports.sources.stores import Stores

CONTENT = os.urandom(3_000_000)
OTHER = "another"


class Cloud(Protocol):
    """A store with the recording `calls/a.wav`."""

    scheme: str
    port: int

    def put(self, key: str, content: bytes) -> str:
        """Store an object; its URL."""

    def stores(self, *, port: int | None = None, names: tuple[Bucket, ...] | None = None) -> Stores:
        """As an operator sets it."""


class _Google:
    scheme = "gs"

    def __init__(self, server: GoogleStorage) -> None:
        self._server = server
        self.port = server.port

    def put(self, key: str, content: bytes) -> str:
        return self._server.put(key, content)

    def stores(self, *, port: int | None = None, names: tuple[Bucket, ...] | None = None) -> Stores:
        endpoint = f"http://127.0.0.1:{port or self.port}"
        buckets = (Bucket(BUCKET),) if names is None else names
        return Stores(google=self._server.settings(endpoint=endpoint, buckets=buckets))


class _Azure:
    scheme = "az"

    def __init__(self, server: Azurite) -> None:
        self._server = server
        self.port = server.port

    def put(self, key: str, content: bytes) -> str:
        return self._server.put(key, content)

    def stores(self, *, port: int | None = None, names: tuple[Bucket, ...] | None = None) -> Stores:
        endpoint = self._server.endpoint_at(port or self.port)
        containers = (Bucket(CONTAINER),) if names is None else names
        return Stores(azure=self._server.settings(endpoint=endpoint, containers=containers))


@pytest.fixture(scope="module")
def google(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GoogleStorage]:
    with GoogleStorage(tmp_path_factory.mktemp("google")) as server:
        server.put("calls/a.wav", CONTENT)
        yield server


@pytest.fixture(scope="module")
def _azurite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Azurite]:
    with Azurite(tmp_path_factory.mktemp("azurite"), trustme.CA()) as server:
        server.put("calls/a.wav", CONTENT)
        yield server


@pytest.fixture
def azurite(_azurite: Azurite, monkeypatch: pytest.MonkeyPatch) -> Azurite:
    """The emulator, trusted."""
    monkeypatch.setenv("SSL_CERT_FILE", str(_azurite.trusted))
    return _azurite


@pytest.fixture(params=["google", "azurite"])
def cloud(request: pytest.FixtureRequest) -> Cloud:
    server = request.getfixturevalue(request.param)
    return _Google(server) if request.param == "google" else _Azure(server)


@pytest.fixture(autouse=True)
def _nothing_is_left() -> Iterator[None]:
    """No thread, and no socket to a store."""
    yield
    gc.collect()
    assert "clouds" not in {each.name for each in threading.enumerate()}


def read(url: str, stores: Stores, egress: Egress | None = None, most: int = 2**30) -> bytes:
    with open_source(
        url,
        dirs=(),
        max_bytes=most,
        egress=egress or Egress(),
        limits=Limits(),
        stores=stores,
    ) as source:
        return b"".join(source)


def the_recording(cloud: Cloud) -> str:
    return f"{cloud.scheme}://{BUCKET}/calls/a.wav"


def connections(port: int) -> int:
    """Of this process, to the port of loopback, that are established."""
    found = 0
    for each in Path("/proc/self/fd").iterdir():
        try:
            inode = str(each.readlink())
        except OSError:
            continue
        if inode.startswith("socket:"):
            found += _leads_to(inode.strip("socket:[]"), port)
    return found


def _leads_to(inode: str, port: int) -> bool:
    lines = Path("/proc/self/net/tcp").read_text().splitlines()[1:]
    parts = [line.split() for line in lines]
    return any(part[9] == inode and int(part[2].split(":")[1], 16) == port for part in parts)


def test_an_object_is_read_whole_and_again(cloud: Cloud) -> None:
    with open_source(
        the_recording(cloud),
        dirs=(),
        max_bytes=len(CONTENT),
        egress=Egress(),
        limits=Limits(),
        stores=cloud.stores(),
    ) as source:
        assert source.size == len(CONTENT)
        assert b"".join(source) == CONTENT
        assert b"".join(source) == CONTENT
        assert connections(cloud.port)
    assert not connections(cloud.port)


KEYS = ["a b.wav", "100%.wav", "ü☎.wav", "a+b&c=d.wav", "a%2Fb.wav", "q?x#y.wav", "~(1)'!*.wav"]
KEYS += ["a.wav?versionid=1", "a.wav#1700000000", "a.wav?generation=1", "{0}.wav", "az:/x.wav"]


@pytest.mark.parametrize("key", KEYS)
def test_keys_are_percent_decoded(cloud: Cloud, key: str) -> None:
    cloud.put(f"names/{key}", key.encode())
    url = f"{cloud.scheme}://{BUCKET}/names/{quote(key, safe='')}"
    assert read(url, cloud.stores()) == key.encode()


def test_an_empty_object_is_a_recording(cloud: Cloud) -> None:
    assert read(cloud.put("empty.wav", b""), cloud.stores()) == b""


def test_a_download_that_is_cut_goes_on(cloud: Cloud) -> None:
    with CuttingProxy(cloud.port, after=1_200_000) as proxy:
        assert read(the_recording(cloud), cloud.stores(port=proxy.port)) == CONTENT
        assert 3 <= proxy.connections <= 5


def test_a_line_that_drops_sooner_than_a_range_is_read_in_smaller_ones(cloud: Cloud) -> None:
    url = cloud.put("small.wav", CONTENT[:600_000])
    with CuttingProxy(cloud.port, after=400_000) as proxy:
        assert read(url, cloud.stores(port=proxy.port)) == CONTENT[:600_000]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (CONTENT, CONTENT[::-1]),
        (CONTENT, CONTENT[:100]),
        (CONTENT, CONTENT + CONTENT),
        (CONTENT[:PIECE], CONTENT[:PIECE]),
    ],
    ids=["other", "shorter", "longer", "after its last range"],
)
def test_an_object_that_is_replaced_while_it_is_read_is_noticed(
    cloud: Cloud, before: bytes, after: bytes
) -> None:
    url = cloud.put("replaced.wav", before)
    with (  # noqa: PT012 - replaced in the middle
        pytest.raises(SourceChanged),
        open_source(
            url,
            dirs=(),
            max_bytes=2**30,
            egress=Egress(),
            limits=Limits(),
            stores=cloud.stores(),
        ) as source,
    ):
        for number, _ in enumerate(source):
            if not number:
                cloud.put("replaced.wav", after)


def test_an_object_that_is_not_there_is_missing(cloud: Cloud) -> None:
    with pytest.raises(SourceMissing) as missing:
        read(f"{cloud.scheme}://{BUCKET}/calls/none.wav", cloud.stores())
    assert "404" in missing.value.words


def test_a_bucket_that_is_not_there_is_the_platforms_to_mend(azurite: Azurite) -> None:
    stores = Stores(azure=azurite.settings(containers=(Bucket("nowhere"),)))
    with pytest.raises(SourceRefused, match="ContainerNotFound"):
        read("az://nowhere/a.wav", stores)


def test_a_recording_may_not_be_larger_than_the_limit(cloud: Cloud) -> None:
    with pytest.raises(SourceUnreadable, match="more than the 1000 bytes"):
        read(the_recording(cloud), cloud.stores(), most=1000)


def test_a_store_that_is_away_is_waited_for(cloud: Cloud) -> None:
    with CuttingProxy(cloud.port, after=0) as proxy, pytest.raises(SourceAway) as away:
        read(the_recording(cloud), cloud.stores(port=proxy.port))
    assert not isinstance(away.value, SourceRefused)


def test_nothing_listens(cloud: Cloud) -> None:
    with socket.socket() as kept:
        kept.bind(("127.0.0.1", 0))
        with pytest.raises(SourceAway, match="Connection refused"):
            read(the_recording(cloud), cloud.stores(port=kept.getsockname()[1]))


def test_only_the_buckets_and_prefixes_of_the_settings_are_read(cloud: Cloud) -> None:
    cloud.put("calls-of-others/a.wav", b"secret")
    stores = cloud.stores(names=(Bucket(OTHER), Bucket(BUCKET, "calls/")))
    assert read(the_recording(cloud), stores) == CONTENT
    for path in (
        f"{BUCKET}/calls-of-others/a.wav",
        f"{BUCKET}/calls/../calls-of-others/a.wav",
        f"{BUCKET}/calls/%2e%2e/calls-of-others/a.wav",
        f"{BUCKET}/calls/%2e%2e%2fcalls-of-others/a.wav",
        f"{BUCKET}/calls//a.wav",
        f"{BUCKET}/calls",
        f"user@{BUCKET}/calls/a.wav",
        f"{BUCKET}/calls/a.wav?x=y",
        f"{BUCKET}/calls/a.wav#1",
        "third/calls/a.wav",
    ):
        with pytest.raises(SourceUnreadable) as refused:
            read(f"{cloud.scheme}://{path}", stores)
        assert not isinstance(refused.value, SourceAway)


def test_without_a_name_in_the_settings_nothing_is_read(cloud: Cloud) -> None:
    with pytest.raises(SourceUnreadable, match=r"COURIER_(GS_BUCKETS|AZ_CONTAINERS)"):
        read(the_recording(cloud), cloud.stores(names=()))


def test_a_connection_goes_only_where_egress_lets_it(cloud: Cloud) -> None:
    denied = Egress(deny=(ip_network("127.0.0.0/8"),))
    with pytest.raises(SourceAway, match="no connection may go"):
        read(the_recording(cloud), cloud.stores(), denied)


@pytest.mark.parametrize("name", ["HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY"])
def test_a_proxy_of_the_environment_is_not_used(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.setenv(name.lower(), "http://127.0.0.1:9")
    assert read(the_recording(cloud), cloud.stores()) == CONTENT


def test_many_are_read_at_once_by_one_thread(cloud: Cloud) -> None:
    stores, found, seen = cloud.stores(), [], set[int]()

    def one() -> None:
        found.append(read(the_recording(cloud), stores))

    threads = [threading.Thread(target=one) for _ in range(8)]
    for each in threads:
        each.start()
    while any(each.is_alive() for each in threads):
        seen.add(sum(each.name == "clouds" for each in threading.enumerate()))
    assert found == [CONTENT] * 8
    assert max(seen) == 1
    assert not connections(cloud.port)


def test_memory_does_not_grow_with_the_recording(cloud: Cloud) -> None:
    read(the_recording(cloud), cloud.stores())
    url = cloud.put("large.wav", bytes(100_000_000))
    gc.collect()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with open_source(
        url,
        dirs=(),
        max_bytes=2**30,
        egress=Egress(),
        limits=Limits(),
        stores=cloud.stores(),
    ) as source:
        assert sum(len(block) for block in source) == 100_000_000
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 30_000


def test_another_signature_is_not_taken(azurite: Azurite) -> None:
    url = f"az://{CONTAINER}/calls/a.wav"
    good = azurite.settings(account=None, key=None, sas=azurite.sas())
    assert read(url, Stores(azure=good)) == CONTENT
    for sas in (azurite.sas(hours=-1), azurite.sas(key=b"x" * 64), azurite.sas(rights="l")):
        with pytest.raises(SourceRefused) as refused:
            read(url, Stores(azure=good._replace(sas=sas)))
        assert sas.get_secret_value() not in refused.value.words


def test_another_key_is_not_taken(azurite: Azurite) -> None:
    wrong = azurite.settings(key=SecretStr("eHh4"))
    with pytest.raises(SourceRefused) as refused:
        read(f"az://{CONTAINER}/calls/a.wav", Stores(azure=wrong))
    assert refused.value.words == "AuthorizationFailure (HTTP 403)"


def test_a_connection_string_has_it_all(azurite: Azurite) -> None:
    said = (
        f"AccountName={ACCOUNT};AccountKey={azurite.key.get_secret_value()};"
        f"BlobEndpoint={azurite.endpoint};"
    )
    mine = AzureSettings((Bucket(CONTAINER),), connection_string=SecretStr(said))
    assert read(f"az://{CONTAINER}/calls/a.wav", Stores(azure=mine)) == CONTENT


def test_a_blob_that_is_stored_compressed_is_refused(azurite: Azurite) -> None:
    url = azurite.put("packed.wav", b"x", **{"content-encoding": "gzip"})
    with pytest.raises(SourceUnreadable, match="compressed"):
        read(url, Stores(azure=azurite.settings()))


def test_a_certificate_that_is_not_trusted_is_waited_for(
    azurite: Azurite, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    with pytest.raises(SourceAway, match="The certificate is not trusted"):
        read(f"az://{CONTAINER}/calls/a.wav", Stores(azure=azurite.settings()))


def test_without_credentials_the_file_waits(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "none"))
    monkeypatch.setenv("AZURE_TOKEN_CREDENTIALS", "EnvironmentCredential")
    stores = cloud.stores()
    google = stores.google._replace(credentials=None)
    azure = stores.azure._replace(key=None)
    with pytest.raises(SourceRefused, match="No credentials for "):
        read(the_recording(cloud), Stores(google=google, azure=azure))


def test_what_google_finds_by_itself_is_used(
    google: GoogleStorage, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Its token would be asked for at the token URI, which is none here: that is told."""
    told = json.loads(google.credentials.get_secret_value())
    told["token_uri"] = "http://127.0.0.1:9/token"
    file = tmp_path / "key.json"
    file.write_text(json.dumps(told))
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(file))
    mine = google.settings(credentials=None, endpoint=f"{google.endpoint}")
    with pytest.raises(SourceRefused, match="No credentials for Google: "):
        read(f"gs://{BUCKET}/calls/a.wav", Stores(google=mine))


NOTHING = """
import sys
from transports.base import Egress, Limits
from transports.sources.source import open_source
from transports.errors import SourceFailure
from worker.cli import main
for url in ("gs://recordings/a.wav", "az://recordings/a.wav"):
    try:
        with open_source(url, dirs=(), max_bytes=9, egress=Egress(), limits=Limits()):
            pass
    except SourceFailure as failure:
        print(failure.words)
print({"gcsfs", "adlfs", "fsspec", "aiohttp", "google", "azure"} & {*sys.modules})
"""


def test_nothing_is_loaded_where_it_is_not_used() -> None:
    done = subprocess.run(
        [sys.executable, "-c", NOTHING], capture_output=True, text=True, check=True, timeout=120
    )
    *words, loaded = done.stdout.splitlines()
    assert [word.partition(" (")[2] for word in words] == [
        "COURIER_GS_BUCKETS)",
        "COURIER_AZ_CONTAINERS)",
    ]
    assert loaded == "set()"


LACKING = """
import sys
sys.modules["gcsfs"] = sys.modules["adlfs"] = None
from config.clouds import AzureSettings, GoogleSettings
from config.stores import Bucket
from transports.base import Egress, Limits
from transports.sources.source import open_source
from transports.sources.stores import Stores
from transports.errors import SourceRefused
names = (Bucket("recordings"),)
stores = Stores(google=GoogleSettings(names), azure=AzureSettings(names, "platform"))
for url in ("gs://recordings/a.wav", "az://recordings/a.wav"):
    try:
        with open_source(
            url, dirs=(), max_bytes=9, egress=Egress(), limits=Limits(), stores=stores
        ):
            pass
    except SourceRefused as failure:
        print(failure.words)
"""


def test_a_worker_without_the_packages_says_what_it_lacks() -> None:
    done = subprocess.run(
        [sys.executable, "-c", LACKING], capture_output=True, text=True, check=True, timeout=120
    )
    gs, az = done.stdout.splitlines()
    assert gs == (
        "This worker lacks the package gcsfs, which gs:// recordings are read with: install "
        "'courier[clouds]' (requirements-clouds.txt)"
    )
    assert az == gs.replace("gcsfs", "adlfs").replace("gs://", "az://")


TWO = """
import sys
from pydantic import SecretStr
from config.clouds import AzureSettings, GoogleSettings
from config.stores import Bucket
from transports.base import Egress, Limits
from transports.sources.source import open_source
from transports.sources.stores import Stores
url, endpoint, login = sys.argv[1:]
names = (Bucket("recordings"),)
stores = Stores(
    google=GoogleSettings(names, endpoint, SecretStr(login)),
    azure=AzureSettings(names, "platform", endpoint, SecretStr(login)),
)
with open_source(
    url, dirs=(), max_bytes=2**30, egress=Egress(), limits=Limits(), stores=stores
) as source:
    print(sum(map(len, source)))
"""


def test_two_processes_read_and_leave_without_a_word(cloud: Cloud) -> None:
    stores = cloud.stores()
    secret = stores.google.credentials if cloud.scheme == "gs" else stores.azure.key
    assert secret is not None
    endpoint = stores.google.endpoint if cloud.scheme == "gs" else stores.azure.url
    argv = [sys.executable, "-W", "error", "-X", "dev", "-c", TWO]
    argv += [the_recording(cloud), endpoint, secret.get_secret_value()]
    both = [
        subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    for each in both:
        out, err = each.communicate(timeout=120)
        assert (out.strip(), each.returncode) == (str(len(CONTENT)), 0), err


def test_settings_do_not_show_their_secrets(google: GoogleStorage, azurite: Azurite) -> None:
    shown: list[GoogleSettings | AzureSettings] = [google.settings(), azurite.settings()]
    assert "PRIVATE" not in repr(shown)
    assert azurite.key.get_secret_value() not in repr(shown)
