"""What answers of Google and Azure mean, and how far their libraries get; emulators of both are in
tests/contract.
"""

import json
import socket
import threading
import time

import pytest
from pydantic import SecretStr

from config.clouds import AzureSettings, GoogleSettings
from tests.servers.store import Asked, Reply, Store
from tests.unit.transports.sources.cloud import CONTENT, KEY, LOGIN, NAMES, QUICK, Cloud, read
from transports.base import Egress, Limits
from transports.errors import (
    SourceAway,
    SourceChanged,
    SourceFailure,
    SourceMissing,
    SourceRefused,
    SourceUnreadable,
)
from transports.sources.clouds import google
from transports.sources.http import Silent
from transports.sources.source import open_source
from transports.sources.stores import Stores


@pytest.fixture(params=["gs", "az"])
def cloud(request: pytest.FixtureRequest, store: Store) -> Cloud:
    return Cloud(request.param, store)


def test_it_is_read_with_a_login_and_without_the_secret(cloud: Cloud) -> None:
    assert read(cloud) == CONTENT
    asked = cloud.store.does.asked
    assert len(asked) == 3, "version, content, version"
    secret = json.loads(LOGIN.get_secret_value())["private_key"]
    for each in asked:
        said = "Bearer " if cloud.scheme == "gs" else "SharedKey platform:"
        assert each.headers["authorization"].startswith(said)
        assert each.headers["accept-encoding"] == "identity"
        assert KEY not in str(each)
        assert secret not in str(each)


STATUSES: list[tuple[str, int, str, type[SourceFailure]]] = [
    ("gs", 404, "No such object: calls/a.wav", SourceMissing),
    ("gs", 404, "The specified bucket does not exist.", SourceRefused),
    ("gs", 404, "", SourceMissing),
    ("gs", 401, "Invalid Credentials", SourceRefused),
    ("gs", 403, "has no storage.objects.get access", SourceRefused),
    ("gs", 400, "invalid argument", SourceUnreadable),
    ("gs", 429, "rateLimitExceeded", SourceAway),
    ("gs", 301, "", SourceRefused),
    ("gs", 307, "", SourceRefused),
    ("gs", 412, "conditionNotMet", SourceChanged),
    ("gs", 500, "backendError", SourceAway),
    ("gs", 502, "", SourceAway),
    ("gs", 503, "", SourceAway),
    ("az", 404, "BlobNotFound", SourceMissing),
    ("az", 404, "ContainerNotFound", SourceRefused),
    ("az", 404, "", SourceMissing),
    ("az", 401, "NoAuthenticationInformation", SourceRefused),
    ("az", 403, "AuthenticationFailed", SourceRefused),
    ("az", 403, "AuthorizationPermissionMismatch", SourceRefused),
    ("az", 409, "BlobArchived", SourceUnreadable),
    ("az", 400, "InvalidUri", SourceUnreadable),
    ("az", 302, "", SourceRefused),
    ("az", 307, "", SourceRefused),
    ("az", 412, "ConditionNotMet", SourceChanged),
    ("az", 500, "InternalError", SourceAway),
    ("az", 503, "ServerBusy", SourceAway),
]


@pytest.mark.parametrize(("scheme", "status", "code", "failure"), STATUSES)
def test_an_error_is_the_objects_the_platforms_or_passes(
    store: Store, scheme: str, status: int, code: str, failure: type[SourceFailure]
) -> None:
    cloud = Cloud(scheme, store)
    cloud.answers = cloud.error(status, code)
    with pytest.raises(SourceFailure) as told:
        read(cloud)
    assert type(told.value) is failure
    assert len(store.does.asked) == 1, (
        "no redirect is followed, and nothing is tried behind our back"
    )
    assert f"HTTP {status}" in told.value.words
    if code and failure is not SourceChanged:
        assert told.value.words.startswith(code)


def test_an_object_that_is_refused_beside_others_that_are_read_is_its_own_failure(
    cloud: Cloud,
) -> None:
    stores = cloud.stores
    refusal = cloud.error(403, "AuthorizationPermissionMismatch")
    cloud.answers = lambda asked: refusal(asked) if "b.wav" in asked.path else None
    with pytest.raises(SourceRefused):
        read(cloud, stores, "b.wav")
    read(cloud, stores)
    with pytest.raises(SourceUnreadable) as own:
        read(cloud, stores, "b.wav")
    assert not isinstance(own.value, SourceAway)


def test_an_object_that_goes_away_while_it_is_read_has_changed(cloud: Cloud) -> None:
    gone = cloud.error(404, "BlobNotFound")
    cloud.answers = lambda asked: gone(asked) if cloud.is_for_content(asked) else None
    with pytest.raises(SourceChanged):
        read(cloud)


def test_one_that_is_gone_after_its_last_byte_was_read_whole(cloud: Cloud) -> None:
    gone = cloud.error(404, "BlobNotFound")
    begun = []

    def answers(asked: Asked) -> Reply | None:
        if cloud.is_for_content(asked):
            begun.append(asked)
            return None
        return gone(asked) if begun else None

    cloud.answers = answers
    assert read(cloud) == CONTENT


def test_another_version_at_the_end_is_noticed(cloud: Cloud) -> None:
    def answers(asked: Asked) -> None:
        if cloud.is_for_content(asked):
            cloud.mark = "2"

    cloud.answers = answers
    with pytest.raises(SourceChanged):
        read(cloud)


def test_a_store_that_gives_more_than_the_range_is_not_read(cloud: Cloud) -> None:
    whole = 206, {"Content-Range": f"bytes 0-2559/{len(CONTENT)}"}, bytes(3_000_000)
    cloud.answers = lambda asked: whole if cloud.is_for_content(asked) else None
    with pytest.raises(SourceUnreadable, match="more than it was asked for"):
        read(cloud)


def test_a_store_that_gives_another_range_is_not_read(cloud: Cloud) -> None:
    other = 206, {"Content-Range": f"bytes 0-9/{len(CONTENT)}"}, CONTENT[:10]
    cloud.answers = lambda asked: other if cloud.is_for_content(asked) else None
    with pytest.raises(SourceUnreadable, match="another range"):
        read(cloud)


def test_what_is_stored_compressed_is_refused(cloud: Cloud) -> None:
    cloud.encoding = "gzip"
    with pytest.raises(SourceUnreadable, match="compressed"):
        read(cloud)


@pytest.mark.parametrize("said", [b"", b"[]", b"{}", b"\xff", b'{"size": "x"}', b"{" * 5000])
def test_an_answer_without_sense_is_a_failure_of_the_recording(store: Store, said: bytes) -> None:
    cloud = Cloud("gs", store)
    cloud.answers = lambda _: (200, {}, said)
    with pytest.raises(SourceUnreadable):
        read(cloud)


def test_words_of_an_error_are_one_line_and_bounded(cloud: Cloud) -> None:
    cloud.answers = cloud.error(404, "a\x1b" + "x" * 4000)
    with pytest.raises(SourceMissing) as missing:
        read(cloud)
    assert "\x1b" not in missing.value.words
    assert len(missing.value.words) < 1000


def test_silence_is_waited_for_within_the_limits_and_asked_by_one_at_a_time(cloud: Cloud) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        endpoint = f"http://127.0.0.1:{silent.getsockname()[1]}"
        stores = Stores(
            google=GoogleSettings(NAMES, endpoint, LOGIN),
            azure=AzureSettings(NAMES, "platform", endpoint, SecretStr(KEY)),
        )
        started = time.monotonic()
        with pytest.raises(SourceAway):
            read(cloud, stores, limits=QUICK)
        assert time.monotonic() - started < 8
        started = time.monotonic()
        with pytest.raises(SourceAway):
            read(cloud, stores, limits=QUICK)
        assert time.monotonic() - started < 1


def test_a_wait_is_cut_from_another_thread(cloud: Cloud) -> None:
    def answers(asked: Asked) -> Reply | None:
        if cloud.is_for_content(asked):
            time.sleep(3)
        return None

    cloud.answers = answers
    with (
        open_source(
            f"{cloud.scheme}://calls/a.wav",
            dirs=(),
            max_bytes=10_000,
            egress=Egress(),
            limits=Limits(),
            stores=cloud.stores,
        ) as source,
    ):
        threading.Timer(0.3, source.cut).start()
        started = time.monotonic()
        with pytest.raises(SourceAway) as cut:
            b"".join(source)
        assert time.monotonic() - started < 2.5
        assert not isinstance(cut.value, Silent)
    assert "clouds" not in {each.name for each in threading.enumerate()}


def test_a_name_that_nobody_has_is_waited_for(cloud: Cloud) -> None:
    endpoint = "https://nobody.invalid"
    stores = Stores(
        google=GoogleSettings(NAMES, endpoint, LOGIN),
        azure=AzureSettings(NAMES, "platform", endpoint, SecretStr(KEY)),
    )
    with pytest.raises(SourceAway):
        read(cloud, stores)


def test_a_token_is_signed_once_and_anew_before_its_end(store: Store) -> None:
    cloud = Cloud("gs", store)
    login = google._login(LOGIN.get_secret_value())
    read(cloud)
    read(cloud)
    (used,) = {each.headers["authorization"] for each in store.does.asked}
    assert login._credentials is not None
    login._credentials.expiry = login._credentials.expiry.replace(year=2020)
    read(cloud)
    assert {each.headers["authorization"] for each in store.does.asked} == {used} | {
        login.header["Authorization"]
    }


def test_a_key_that_signs_nothing_is_the_platforms_to_mend(store: Store) -> None:
    told = {**json.loads(LOGIN.get_secret_value()), "private_key": "hunter2"}
    wrong = GoogleSettings(NAMES, f"https://{store.authority}", SecretStr(json.dumps(told)))
    with pytest.raises(SourceRefused, match="No credentials for Google") as refused:
        read(Cloud("gs", store), Stores(google=wrong))
    assert "hunter2" not in refused.value.words
    assert not store.does.asked
