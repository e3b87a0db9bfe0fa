"""What answers of S3 mean, and what is asked for; real servers of it are in tests/contract."""

import json
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor, wait
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from config.stores import Bucket, S3Settings
from tests.servers.store import Store
from transports.base import Egress, Limits
from transports.errors import (
    SourceAway,
    SourceChanged,
    SourceFailure,
    SourceMissing,
    SourceRefused,
    SourceUnreadable,
)
from transports.sources import s3
from transports.sources.object_urls import NoObject, parts_of
from transports.sources.s3 import _url
from transports.sources.source import open_source
from transports.sources.stores import Stores

SECRET = "s3cr3t/of+the/platform"


def settings(store: Store) -> S3Settings:
    endpoint = f"https://{store.authority}"
    return S3Settings((Bucket("calls"),), endpoint, "eu-west-9", "AKIDEXAMPLE", SecretStr(SECRET))


def read(stores: Stores, url: str = "s3://calls/2026/a.wav") -> bytes:
    with open_source(
        url, dirs=(), max_bytes=1000, egress=Egress(), limits=Limits(), stores=stores
    ) as source:
        return b"".join(source)


def error(code: str, words: str = "Because") -> bytes:
    return f"<Error><Code>{code}</Code><Message>{words}</Message></Error>".encode()


def test_an_object_is_asked_for_with_a_signature_and_without_the_secret(store: Store) -> None:
    store.does.content = b"x"
    assert read(Stores(s3=settings(store))) == b"x"
    (asked,) = store.does.asked
    assert asked.path == "/calls/2026/a.wav"
    assert "/eu-west-9/s3/aws4_request" in asked.headers["authorization"]
    assert SECRET not in str(asked.headers)


@pytest.mark.parametrize("name", ["AWS_ACCESS_KEY_ID", "AWS_SESSION_TOKEN"])
def test_a_login_that_amazons_tools_find_and_no_request_can_have_waits_and_is_not_told(
    name: str, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    for each in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.setenv(each, "found")
    monkeypatch.setenv(name, "found\nelsewhere")
    where = settings(store)._replace(access_key_id=None, secret_access_key=None)
    with pytest.raises(SourceRefused) as refused:
        read(Stores(s3=where))
    assert refused.value.words == "The login for S3 has characters in it that no request can have"
    assert not store.does.asked


class Chain:
    """What Amazon's tools get credentials from: a script, which notes how often it was asked."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._counted = folder / "asked"

    def says(self, first: str, then: str = "exit 1") -> None:
        """Commands for the first time, and for each later one."""
        script = self._folder / "login"
        script.write_text(
            f"#!/bin/sh\necho x >> {self._counted}\n"
            f"[ $(wc -l < {self._counted}) = 1 ] && {{\n{first}\nexit\n}}\n{then}\n"
        )
        script.chmod(0o700)
        config = self._folder / "config"
        config.write_text(f"[default]\ncredential_process = {script}\n")

    @property
    def asked(self) -> int:
        return self._counted.read_text().count("x") if self._counted.exists() else 0


@pytest.fixture
def chain(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Chain]:
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name, raising=False)
    s3._signer.cache_clear()
    yield Chain(tmp_path)
    s3._signer.cache_clear()


def found(store: Store) -> Stores:
    """With the login that is found."""
    return Stores(s3=settings(store)._replace(access_key_id=None, secret_access_key=None))


def valid_for(minutes: float) -> str:
    """Says credentials that end then."""
    end = (datetime.now(UTC) + timedelta(minutes=minutes)).isoformat()
    told = {"Version": 1, "AccessKeyId": "AKIDEXAMPLE", "SecretAccessKey": "x"}
    return f"echo '{json.dumps({**told, 'SessionToken': 'x', 'Expiration': end})}'"


def fails_once_there_is(answers: Path) -> str:
    """Hangs until then, though not for ever."""
    return f"for _ in $(seq 400); do [ -e {answers} ] && break; sleep 0.05; done; exit 1"


def test_credentials_that_amazons_tools_cannot_get_are_asked_for_once_in_a_pause(
    store: Store, chain: Chain
) -> None:
    chain.says("exit 1")
    for _ in range(5):
        with pytest.raises(SourceRefused, match="No credentials for S3"):
            read(found(store))
    assert chain.asked == 1
    assert not store.does.asked


def test_credentials_that_are_valid_still_are_used_while_new_ones_are_asked_for(
    store: Store, chain: Chain, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("transports.sources.stores.PAUSE", 0)
    store.does.content = b"x"
    answers = tmp_path / "answers"
    waits = fails_once_there_is(answers)
    chain.says(valid_for(minutes=12), then=f"[ $(wc -l < {tmp_path}/asked) = 2 ] || {{ {waits}; }}")
    assert read(found(store)) == b"x"
    with ThreadPoolExecutor() as pool:
        reads = [pool.submit(read, found(store)) for _ in range(4)]
        is_read = wait(reads, 5).not_done == set()
        while chain.asked < 3:
            time.sleep(0.01)
        answers.touch()
        assert is_read, "it waits for the renewal"
    assert {each.result() for each in reads} == {b"x"}


def test_a_program_that_hangs_while_it_gets_credentials_keeps_nobody_for_ever(
    store: Store, chain: Chain, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("transports.sources.logins.SECONDS", 0.5)
    store.does.content = b"x"
    answers = tmp_path / "answers"
    chain.says(fails_once_there_is(answers))
    for _ in range(2):
        with pytest.raises(SourceRefused, match=r"did not come in 0\.5 seconds"):
            read(found(store))
    assert chain.asked == 1
    answers.touch()


def test_credentials_that_could_not_be_renewed_are_asked_for_again_after_a_pause(
    store: Store, chain: Chain
) -> None:
    store.does.content = b"x"
    chain.says(valid_for(minutes=12))
    for _ in range(5):
        assert read(found(store)) == b"x"
    while chain.asked < 2:
        time.sleep(0.01)
    time.sleep(0.2)  # it has failed by then
    for _ in range(5):
        assert read(found(store)) == b"x"
    assert chain.asked == 2


def test_credentials_that_must_be_renewed_and_cannot_be_are_asked_for_once_by_all_who_wait(
    store: Store, chain: Chain
) -> None:
    chain.says(valid_for(minutes=5), then="sleep 0.5; exit 1")
    stores = found(store)
    s3._signer(stores.s3)
    with ThreadPoolExecutor() as pool:
        reads = [pool.submit(read, stores) for _ in range(4)]
        failures = [each.exception() for each in reads]
    assert all(isinstance(each, SourceRefused) for each in failures)
    assert chain.asked == 2


def test_credentials_that_are_over_when_they_come_are_the_platforms_to_mend(
    store: Store, chain: Chain
) -> None:
    """As where this machine's clock is wrong."""
    chain.says(valid_for(minutes=-1), then=valid_for(minutes=-1))
    with pytest.raises(SourceRefused, match="still expired"):
        read(found(store))


CODES: list[tuple[int, str, type[SourceFailure]]] = [
    (404, "NoSuchKey", SourceMissing),
    (404, "NoSuchBucket", SourceRefused),
    (404, "", SourceMissing),
    (403, "AccessDenied", SourceRefused),
    (403, "InvalidAccessKeyId", SourceRefused),
    (403, "SignatureDoesNotMatch", SourceRefused),
    (403, "RequestTimeTooSkewed", SourceRefused),
    (403, "InvalidObjectState", SourceUnreadable),
    (400, "ExpiredToken", SourceRefused),
    (400, "AuthorizationHeaderMalformed", SourceRefused),
    (400, "KeyTooLongError", SourceUnreadable),
    (401, "", SourceRefused),
    (405, "MethodNotAllowed", SourceUnreadable),
    (301, "PermanentRedirect", SourceRefused),
    (307, "TemporaryRedirect", SourceRefused),
    (412, "PreconditionFailed", SourceChanged),
    (416, "InvalidRange", SourceChanged),
    (429, "SlowDown", SourceAway),
    (500, "InternalError", SourceAway),
    (503, "SlowDown", SourceAway),
]


@pytest.mark.parametrize(("status", "code", "failure"), CODES)
def test_an_error_is_the_objects_the_platforms_or_passes(
    store: Store, status: int, code: str, failure: type[SourceFailure]
) -> None:
    store.does.replies = lambda _: (status, {"Location": store.url}, error(code) if code else b"")
    with pytest.raises(SourceFailure) as told:
        read(Stores(s3=settings(store)))
    assert type(told.value) is failure
    assert len(store.does.asked) == 1, "no redirect is followed"
    if code and failure is not SourceChanged:
        assert told.value.words.startswith(f"{code}: Because (HTTP {status})")


def test_an_object_that_is_refused_beside_others_that_are_read_is_its_own_failure(
    store: Store,
) -> None:
    """To whoever may not list the bucket a missing object is refused."""
    stores = Stores(s3=settings(store))
    store.does.refused = {"/calls/2026/a.wav"}
    with pytest.raises(SourceRefused):
        read(stores)
    read(stores, "s3://calls/b.wav")
    with pytest.raises(SourceUnreadable) as own:
        read(stores)
    assert not isinstance(own.value, SourceAway)


@pytest.mark.parametrize(
    "said", [b"", b"<Error>", b"\xff\xfe", b"<Code></Code>", b"<Code>" + b"x" * 99_999]
)
def test_an_error_without_sense_is_told_by_its_status(store: Store, said: bytes) -> None:
    store.does.replies = lambda _: (403, {}, said)
    with pytest.raises(SourceRefused, match="HTTP 403 Forbidden"):
        read(Stores(s3=settings(store)))


def test_words_of_an_error_are_one_line_and_bounded(store: Store) -> None:
    store.does.replies = lambda _: (403, {}, error("AccessDenied", "a\r\nb\x1b" + "x" * 400))
    with pytest.raises(SourceRefused) as refused:
        read(Stores(s3=settings(store)))
    assert "\n" not in refused.value.words
    assert "\x1b" not in refused.value.words


def test_the_region_of_the_bucket_is_told(store: Store) -> None:
    told = {"x-amz-bucket-region": "eu-central-1"}
    store.does.replies = lambda _: (301, told, error("PermanentRedirect"))
    with pytest.raises(SourceRefused, match="eu-central-1"):
        read(Stores(s3=settings(store)))


URLS: Mapping[tuple[str, str], str] = {
    ("eu-central-1", "calls"): "https://calls.s3.eu-central-1.amazonaws.com/a%20b/%C3%BC.wav",
    ("cn-north-1", "calls"): "https://calls.s3.cn-north-1.amazonaws.com.cn/a%20b/%C3%BC.wav",
    ("us-east-1", "calls.x"): "https://s3.us-east-1.amazonaws.com/calls.x/a%20b/%C3%BC.wav",
}


@pytest.mark.parametrize(("region", "bucket"), URLS)
def test_without_an_endpoint_it_is_amazons_of_the_region(region: str, bucket: str) -> None:
    assert _url(S3Settings(), region, bucket, "a b/ü.wav") == URLS[region, bucket]


@pytest.mark.parametrize(
    "url",
    [
        "s3://",
        "s3://calls",
        "s3://calls/",
        "s3:///a.wav",
        "s3://ab/",
        "s3://CALLS/a.wav",
        "s3://a/a.wav",
        "s3://user@calls/a.wav",
        "s3://calls:80/a.wav",
        "s3://calls/a.wav?versionId=1",
        "s3://calls/a.wav#x",
        "s3://calls/a/",
        "s3://calls//a.wav",
        "s3://calls/a//b.wav",
        "s3://calls/./a.wav",
        "s3://calls/../other/a.wav",
        "s3://calls/a/%2e%2e/b.wav",
        "s3://calls/a%2F..%2Fb.wav",
        "s3://calls/%00.wav",
        "s3://calls/%ff.wav",
        "s3://calls/" + "a" * 1025,
    ],
)
def test_what_names_no_object_is_refused(url: str) -> None:
    with pytest.raises(NoObject, match="must "):
        parts_of(url)


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("s3://b/x", "BUCKET/KEY: a bucket has 3 to 222 characters, and this one has 1"),
        ("gs://b2/x", "BUCKET/OBJECT: a bucket has 3 to 222 characters, and this one has 2"),
        ("az://c/x", "CONTAINER/BLOB: a container has 3 to 222 characters, and this one has 1"),
        ("s3://" + "b" * 223 + "/x", "and this one has 223"),
        ("gs://Calls/x", "a bucket has small letters, digits, dots, - and _"),
        ("az://calls-/x", "a container has small letters, .* begins and ends with a letter"),
        ("s3:///x", "it names no bucket"),
        ("az:///x", "it names no container"),
        ("s3://calls", "nothing follows the bucket"),
        ("az://calls/", "nothing follows the container"),
        ("s3://calls/a?b", "[?] and # of the key percent-encoded"),
    ],
)
def test_the_part_that_is_wrong_is_named(url: str, words: str) -> None:
    with pytest.raises(NoObject, match=f"must be {url[:5]}.*{words}"):
        parts_of(url)


@given(st.text(st.characters(exclude_categories=())).map("s3://calls/{}".format) | st.text())
def test_any_url_has_a_key_or_is_refused_in_words(url: str) -> None:
    try:
        key = parts_of(url).key
    except NoObject:
        return
    assert key
    assert not {"", ".", ".."} & {*key.split("/")}
