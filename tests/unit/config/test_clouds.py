"""Google's and Azure's stores as an operator names them."""

import base64
import contextlib
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from config.clouds import AzureSettings, GoogleSettings, check_connection_string
from config.errors import SettingsError
from config.settings import Settings, load_settings
from config.stores import Bucket

KEY = base64.b64encode(b"hunter2").decode()
SAS = "sv=2021-12-02&sp=r&sig=hunter2"
SERVICE = {"type": "service_account", "client_email": "a@b", "private_key": "x", "token_uri": "y"}


def load(**environ: str) -> Settings:
    given = {f"COURIER_{name}": value for name, value in environ.items()}
    return load_settings(given, Path("/nonexistent/.env"))


def problem(**environ: str) -> str:
    with pytest.raises(SettingsError) as refused:
        load(**environ)
    (told,) = refused.value.problems
    assert "hunter2" not in told
    assert KEY not in told
    return told


def test_by_default_nothing_may_be_read() -> None:
    assert load().google == GoogleSettings()
    assert load().azure == AzureSettings()


def test_google_is_set_by_buckets_and_the_file_of_a_key(tmp_path: Path) -> None:
    file = tmp_path / "key.json"
    file.write_text(json.dumps(SERVICE))
    google = load(GS_BUCKETS="a-b, calls/in/", GS_CREDENTIALS_FILE=str(file)).google
    assert google.buckets == (Bucket("a-b"), Bucket("calls", "in/"))
    assert google.endpoint == "https://storage.googleapis.com"
    assert google.credentials == SecretStr(json.dumps(SERVICE))


@pytest.mark.parametrize(
    "value",
    [
        "hunter2",
        "{}",
        "[]",
        "[" * 100_000,
        '{"type": "authorized_user", "refresh_token": "hunter2"}',
    ],
)
def test_what_is_no_key_of_a_service_account_is_refused_without_it(value: str) -> None:
    told = problem(GS_CREDENTIALS=value)
    assert told.startswith("COURIER_GS_CREDENTIALS is not valid: must be the JSON of a service ")


def test_azure_is_set_by_containers_an_account_and_a_key_or_a_signature() -> None:
    azure = load(AZ_CONTAINERS="calls/in/", AZ_ACCOUNT="platform", AZ_KEY=KEY).azure
    assert azure.containers == (Bucket("calls", "in/"),)
    assert azure.url == "https://platform.blob.core.windows.net"
    assert azure.key == SecretStr(KEY)
    assert load(AZ_SAS=f"?{SAS}").azure.sas == SecretStr(SAS)
    elsewhere = "https://azurite.example:10000/platform"
    assert load(AZ_ENDPOINT=f"{elsewhere}/").azure.url == elsewhere


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("GS_BUCKETS", "gs://calls"),
        ("GS_ENDPOINT", "https://a:b@gcs.example"),
        ("GS_ENDPOINT", "gcs.example"),
        ("AZ_CONTAINERS", "ab"),
        ("AZ_CONTAINERS", "a--b"),
        ("AZ_CONTAINERS", "a.b.c"),
        ("AZ_CONTAINERS", "$root"),
        ("AZ_CONTAINERS", "calls/in"),
        ("AZ_ACCOUNT", "Platform"),
        ("AZ_ACCOUNT", "a.example/x"),
        ("AZ_ENDPOINT", "https://a.example/b/c"),
        ("AZ_ENDPOINT", "https://a.example?sig=hunter2"),
        ("AZ_KEY", "hunter2!"),
        ("AZ_KEY", " "),
        ("AZ_SAS", "hunter2"),
        ("AZ_SAS", "sig=hunter2\r\nx"),
        ("AZ_CONNECTION_STRING", "hunter2"),
        ("AZ_CONNECTION_STRING", "UseDevelopmentStorage=true"),
        ("AZ_CONNECTION_STRING", f"AccountKey={KEY}"),
        ("AZ_CONNECTION_STRING", f"AccountName=platform;AccountKey={KEY};SharedAccessSignature=x"),
        ("AZ_CONNECTION_STRING", f"AccountName=platform;AccountKey={KEY};EndpointSuffix=a/b"),
    ],
)
def test_a_wrong_value_is_refused_in_a_sentence(name: str, value: str) -> None:
    assert problem(**{name: value}).startswith(f"COURIER_{name} is not valid: must ")


@given(st.text())
def test_any_text_is_a_connection_string_or_refused(text: str) -> None:
    with contextlib.suppress(ValueError):
        check_connection_string(SecretStr(text))


def test_settings_that_exclude_each_other_are_told() -> None:
    string = f"AccountName=platform;AccountKey={KEY}"
    both = problem(AZ_CONNECTION_STRING=string, AZ_ACCOUNT="platform")
    assert both.startswith("COURIER_AZ_CONNECTION_STRING and COURIER_AZ_ACCOUNT are both set")
    told = problem(AZ_ACCOUNT="platform", AZ_KEY=KEY, AZ_SAS=SAS)
    assert told.startswith("COURIER_AZ_KEY and COURIER_AZ_SAS are both set")
    assert "COURIER_AZ_ACCOUNT" in problem(AZ_KEY=KEY)
    assert "COURIER_AZ_ACCOUNT" in problem(AZ_CONTAINERS="calls")


def test_without_tls_azure_needs_a_key_or_a_signature() -> None:
    endpoint = "http://azurite.example:10000/platform"
    told = problem(AZ_CONTAINERS="calls", AZ_ENDPOINT=endpoint)
    assert told.startswith("COURIER_AZ_ENDPOINT begins with http://: ")
    assert "set COURIER_AZ_KEY or COURIER_AZ_SAS" in told
    assert load(AZ_ENDPOINT=endpoint, AZ_ACCOUNT="platform", AZ_KEY=KEY).azure.url == endpoint
    assert load(AZ_ENDPOINT=endpoint, AZ_SAS=SAS).azure.url == endpoint
    string = f"BlobEndpoint={endpoint};SharedAccessSignature={SAS}"
    assert load(AZ_CONNECTION_STRING=string).azure.resolved.url == endpoint


@pytest.mark.parametrize("value", ["$root", "A", "calls//in/", "ab"])
def test_a_wrong_container_is_called_one(value: str) -> None:
    assert "must be names of containers, such as " in problem(AZ_CONTAINERS=value)


@pytest.mark.parametrize(
    "value", ["https://platform.blob.core.windows.net/calls?" + SAS, "platform/calls?" + SAS]
)
def test_a_url_is_no_signature(value: str) -> None:
    assert "what stands behind the ? of its URL, such as sv=" in problem(AZ_SAS=value)
    string = f"AccountName=platform;SharedAccessSignature={value}"
    assert "what stands behind the ? of its URL" in problem(AZ_CONNECTION_STRING=string)


def test_a_connection_string_says_it_all() -> None:
    string = f"DefaultEndpointsProtocol=https;AccountName=platform;AccountKey={KEY}"
    azure = load(AZ_CONTAINERS="calls", AZ_CONNECTION_STRING=string).azure.resolved
    assert (azure.containers, azure.account) == ((Bucket("calls"),), "platform")
    assert azure.url == "https://platform.blob.core.windows.net"
    assert azure.key == SecretStr(KEY)
    china = f"{string};EndpointSuffix=core.chinacloudapi.cn"
    told = load(AZ_CONNECTION_STRING=china).azure.resolved
    assert told.url == "https://platform.blob.core.chinacloudapi.cn"
    signed = f"BlobEndpoint=https://x.example/platform;SharedAccessSignature={SAS}"
    told = load(AZ_CONNECTION_STRING=signed).azure.resolved
    assert (told.url, told.sas) == ("https://x.example/platform", SecretStr(SAS))
    assert "hunter2" not in repr(told)
