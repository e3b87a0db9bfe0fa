"""Stores as an operator names them: logins of hosts, buckets, the endpoint of S3."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from config.errors import SettingsError
from config.settings import Settings, load_settings
from config.stores import Bucket, S3Settings, authority_and_header, bucket_of, is_within


def load(**environ: str) -> Settings:
    given = {f"COURIER_{name}": value for name, value in environ.items()}
    return load_settings(given, Path("/nonexistent/.env"))


def problem(**environ: str) -> str:
    with pytest.raises(SettingsError) as refused:
        load(**environ)
    (told,) = refused.value.problems
    return told


def test_by_default_there_are_no_logins_and_no_bucket_may_be_read() -> None:
    settings = load()
    assert settings.logins_of_sources == {}
    assert settings.s3 == S3Settings()


@pytest.mark.parametrize(
    ("login", "authority", "header"),
    [
        ("https://user:word@Host.example", "host.example", "Basic dXNlcjp3b3Jk"),
        ("https://user:word@host.example:443/", "host.example", "Basic dXNlcjp3b3Jk"),
        ("https://user:word@host.example:8443", "host.example:8443", "Basic dXNlcjp3b3Jk"),
        ("https://%C3%BC:%40@[::1]:8443", "[::1]:8443", "Basic w7w6QA=="),
        ("https+bearer://a.b-c@host.example", "host.example", "Bearer a.b-c"),
        ("https+bearer://a%2Fb%3D@host.example", "host.example", "Bearer a/b="),
        ("https://user:word@müller.example", "xn--mller-kva.example", "Basic dXNlcjp3b3Jk"),
    ],
)
def test_a_login_is_a_header_for_one_host(login: str, authority: str, header: str) -> None:
    settings = load(SOURCE_LOGINS=f"{login}, https://a:b@other.example")
    found = settings.logins_of_sources
    assert found[authority].get_secret_value() == header
    assert len(found) == 2


@pytest.mark.parametrize(
    "login",
    [
        "https://hunter2.example",
        "https://hunter2@host.example",
        "https://:hunter2@host.example",
        "https://a:hunter2@host.example/path",
        "https://a:hunter2@host.example?x=y",
        "https://a:hunter2@host.example#x",
        "https://a%3Ab:hunter2@host.example",
        "http://a:hunter2@host.example",
        "https+bearer://a:hunter2@host.example",
        "https+bearer://hunter2%0D%0Ax@host.example",
        "https+bearer://@host.example",
        "hunter2",
        "https://a:hunter2@host:99999",
        "https://a:hunter2@",
    ],
)
def test_any_other_login_is_refused_in_a_sentence_without_it(login: str) -> None:
    told = problem(SOURCE_LOGINS=login)
    assert told.startswith("COURIER_SOURCE_LOGINS is not valid: must ")
    assert "hunter2" not in told
    assert "hunter2" not in repr(SecretStr(login))


@given(st.text())
def test_any_text_is_a_login_or_refused(text: str) -> None:
    try:
        _, header = authority_and_header(SecretStr(text))
    except ValueError:
        return
    assert set(header.get_secret_value()).isdisjoint("\r\n\0")


def test_a_host_has_one_login() -> None:
    logins = "https://a:b@host.example,https+bearer://x@host.example:443"
    assert problem(SOURCE_LOGINS=logins).startswith("COURIER_SOURCE_LOGINS is not valid: each host")


@pytest.mark.parametrize(
    ("value", "bucket"),
    [
        ("calls", Bucket("calls")),
        ("calls.of-2026", Bucket("calls.of-2026")),
        ("calls/", Bucket("calls")),
        ("calls/in/out/", Bucket("calls", "in/out/")),
    ],
)
def test_a_bucket_may_be_named_with_what_its_keys_begin_with(value: str, bucket: Bucket) -> None:
    assert bucket_of(value) == bucket


@pytest.mark.parametrize(
    "value", ["CALLS", "a", "s3://calls", "calls/in", "calls//", "calls/../", "calls/a//b/", "*"]
)
def test_any_other_bucket_is_refused_in_a_sentence(value: str) -> None:
    assert problem(S3_BUCKETS=value).startswith("COURIER_S3_BUCKETS is not valid: must ")


def test_only_keys_beneath_the_prefix_of_their_bucket_are_permitted() -> None:
    buckets = load(S3_BUCKETS="calls/in/, other").s3.buckets
    assert is_within(buckets, "calls", "in/a.wav")
    assert is_within(buckets, "other", "a.wav")
    for bucket, key in (("calls", "a.wav"), ("calls", "in"), ("calls", "inside/a"), ("x", "in/a")):
        assert not is_within(buckets, bucket, key)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("S3_ENDPOINT", "s3.example:9000"),
        ("S3_ENDPOINT", "ftp://s3.example"),
        ("S3_ENDPOINT", "https://a:b@s3.example"),
        ("S3_ENDPOINT", "https://s3.example/path"),
        ("S3_ENDPOINT", "https://s3.example?x"),
        ("S3_REGION", "eu/central"),
        ("S3_REGION", "EU"),
    ],
)
def test_a_wrong_place_is_refused_in_a_sentence(name: str, value: str) -> None:
    assert problem(**{name: value}).startswith(f"COURIER_{name} is not valid: must ")


def test_an_endpoint_is_a_scheme_and_a_host() -> None:
    assert load(S3_ENDPOINT="http://s3.example:9000/").s3.endpoint == "http://s3.example:9000"


@pytest.mark.parametrize("name", ["S3_ACCESS_KEY_ID", "S3_SECRET_ACCESS_KEY"])
def test_one_half_of_a_key_is_refused(name: str) -> None:
    told = problem(**{name: "hunter2"})
    assert told.startswith(f"COURIER_{name} is not valid: COURIER_S3_")
    assert "hunter2" not in told


@pytest.mark.parametrize("key_id", [" ", "AKIA\n", "AKIA\r\nx: y", "AK IA", "schlüssel"])
def test_a_key_id_that_no_request_can_have_is_refused(key_id: str) -> None:
    told = problem(S3_ACCESS_KEY_ID=key_id, S3_SECRET_ACCESS_KEY="hunter2")
    assert told.startswith("COURIER_S3_ACCESS_KEY_ID is not valid: must be letters, digits ")
    assert "AKIA" not in told


def test_a_key_id_need_not_be_one_of_amazons() -> None:
    settings = load(S3_ACCESS_KEY_ID="minio-admin_1@site", S3_SECRET_ACCESS_KEY="hunter2")
    assert settings.s3.access_key_id == "minio-admin_1@site"


def test_the_secret_key_may_come_from_a_file_and_is_not_shown(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text("hunter2\n")
    settings = load(S3_ACCESS_KEY_ID="id", S3_SECRET_ACCESS_KEY_FILE=str(file))
    secret = settings.s3.secret_access_key
    assert secret is not None
    assert secret.get_secret_value() == "hunter2"
    assert "hunter2" not in repr(settings)
    assert "hunter2" not in repr(settings.s3)
