"""The compose file, as it is written. `make images` runs it."""

import json
import re
import subprocess
from collections.abc import Iterator
from functools import cache
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from config.environment import PREFIX
from config.settings import Settings
from tests.unit.deploy.test_image import PINNED
from tests.unit.test_supply import ROOT, project
from worker.supervisor import STOP_SECONDS

DEPLOY = ROOT / "deploy"
WRITABLE = {"customer-sftp", "customer-ftp"}
"""They stand for somebody else's servers."""
OURS = {"courier:${COURIER_VERSION:-" + project()["version"] + "}", "courier-customer:0.1.0"}
CONDITIONS = {"service_started", "service_healthy", "service_completed_successfully"}


@cache
def compose() -> dict[str, Any]:
    """The file, read."""
    return dict(yaml.safe_load((DEPLOY / "compose.yaml").read_text()))


def services() -> dict[str, dict[str, Any]]:
    """Its services by name."""
    return dict(compose()["services"])


each_service = pytest.mark.parametrize("name", sorted(services()))


def mounts(name: str) -> Iterator[tuple[str, str, str]]:
    """Source, target and mode of each."""
    for mount in services()[name].get("volumes", ()):
        source, target, *mode = mount.split(":")
        yield source, target, "".join(mode)


@each_service
def test_every_image_is_of_a_release_or_our_own(name: str) -> None:
    image = services()[name]["image"]
    assert image in OURS or PINNED.fullmatch(image), image
    assert ("build" in services()[name]) == (image in OURS)


def test_no_variable_is_missed_where_a_new_user_has_set_none() -> None:
    """Compose warns of each, at each command, where the file says nothing for it."""
    text = (DEPLOY / "compose.yaml").read_text()
    variables = re.findall(r"\$\{(\w+)(:?[-+])?", text)
    assert variables
    assert all(otherwise for _, otherwise in variables), variables


@each_service
def test_every_service_is_kept_within_limits(name: str) -> None:
    service = services()[name]
    assert service["cap_drop"] == ["ALL"]
    assert service["mem_limit"]
    assert service["cpus"]
    assert service["logging"]["options"]["max-size"]
    if name not in WRITABLE:
        assert service["read_only"] is True
        assert service["security_opt"] == ["no-new-privileges:true"]


@each_service
def test_nothing_is_published_beyond_this_host(name: str) -> None:
    assert all(port.startswith("127.0.0.1:") for port in services()[name].get("ports", ()))


@each_service
def test_every_file_that_is_mounted_is_there_and_cannot_be_changed(name: str) -> None:
    for source, _, mode in mounts(name):
        if source.startswith("."):
            assert (DEPLOY / source).exists(), source
            assert mode == "ro"
        else:
            assert source in compose()["volumes"], source


def test_every_volume_is_used() -> None:
    used = {source for name in services() for source, _, _ in mounts(name)}
    assert set(compose()["volumes"]) <= used


@each_service
def test_what_a_service_waits_for_is_there_and_can_tell(name: str) -> None:
    for other, how in services()[name].get("depends_on", {}).items():
        assert how["condition"] in CONDITIONS
        if how["condition"] == "service_healthy":
            check = services()[other].get("healthcheck", {"disable": other != "courier"})
            assert not check.get("disable")
        if how["condition"] == "service_completed_successfully":
            assert services()[other]["restart"] == "no"


def test_every_setting_is_one_of_the_programs() -> None:
    for name, service in services().items():
        for setting in service.get("environment", {}):
            if setting.startswith(PREFIX):
                field = setting.removeprefix(PREFIX).removesuffix("_FILE").lower()
                assert field in Settings.model_fields, (name, setting)


def test_no_secret_stands_in_the_files() -> None:
    environment = services()["courier"]["environment"]
    assert "COURIER_SECRET_KEYS_FILE" in environment
    assert "COURIER_AMQP_URL_FILE" in environment
    files = [
        path
        for path in (DEPLOY / "compose").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    ]
    for path in (DEPLOY / "compose.yaml", *files):
        assert not re.search(r"://[^/\s:{]+:[^@\s{]+@", path.read_text()), path
        assert not re.search(r"(?i)^\s*[a-z_]*password:\s*\S", path.read_text(), re.MULTILINE), path


def test_the_broker_has_three_nodes_by_a_profile() -> None:
    nodes = {name for name in services() if name.startswith("rabbitmq")}
    assert nodes == {"rabbitmq", "rabbitmq-2", "rabbitmq-3"}
    assert {name for name in nodes if services()[name].get("profiles") == ["cluster"]} == {
        "rabbitmq-2",
        "rabbitmq-3",
    }


def test_the_program_may_end_its_uploads_before_it_is_killed() -> None:
    seconds = int(services()["courier"]["stop_grace_period"].removesuffix("s"))
    assert seconds > STOP_SECONDS


def test_every_configuration_is_yaml() -> None:
    for path in (DEPLOY / "compose").rglob("*.yaml"):
        assert yaml.safe_load(path.read_text()), path


@pytest.mark.parametrize(
    "command",
    [
        ["promtool", "check", "config", "prometheus.yaml"],
        ["amtool", "check-config", "alertmanager.yaml"],
    ],
)
def test_monitoring_takes_its_configuration(command: list[str]) -> None:
    checked = subprocess.run(
        command,
        cwd=DEPLOY / "compose",
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stderr


def test_grafana_finds_the_dashboards_and_prometheus_where_it_is_told_that_they_are() -> None:
    """No Grafana was started: its provisioning is held against the other files."""
    mounted = {target: DEPLOY / source for source, target, _ in mounts("grafana")}
    provisioning = mounted["/etc/grafana/provisioning"]
    [board] = yaml.safe_load((provisioning / "dashboards/courier.yaml").read_text())["providers"]
    found = [*mounted[board["options"]["path"]].glob("*.json")]
    assert len(found) == 2
    [source] = yaml.safe_load((provisioning / "datasources/prometheus.yaml").read_text())[
        "datasources"
    ]
    host, port = urlsplit(source["url"]).hostname, urlsplit(source["url"]).port
    assert any(each.endswith(f":{port}") for each in services()[str(host)]["ports"])
    assert source["isDefault"]
    for path in found:
        variables = json.loads(path.read_text())["templating"]["list"]
        [choice] = [each for each in variables if each["type"] == "datasource"]
        assert choice["query"] == source["type"] == "prometheus"
