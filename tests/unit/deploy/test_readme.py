"""deploy/README.md: what a new user types and copies is what there is."""

import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from deploy.prometheus.runbook import RULES
from tests.manifests import of_kind
from tests.systemd import UNIT
from tests.unit.deploy.test_compose import services
from tests.unit.deploy.typed import check_is_one

README = Path(__file__).parents[3] / "deploy" / "README.md"
TEXT = README.read_text()
LINES = TEXT.replace("\\\n", " ").splitlines()
COMPOSE = "docker compose -f deploy/compose.yaml "
SECRETS = {"amqp-url", "mongodb-url", "smtp-url", "secret-keys"}
OPTIONS_WITH_VALUE = {"--entrypoint"}


def typed() -> Iterator[str]:
    """Each line of a block and each quoted command, without its comment."""
    yield from (line.partition(" #")[0].strip() for line in LINES if "`" not in line)
    yield from re.findall(r"`([^`\n]+)`", TEXT)


def of_courier() -> set[str]:
    """Each command of the program, alone or in a container."""
    inside = r"(?:.* exec (?:-it )?(?:courier|deployment/courier(?: --)?) )?(courier [a-z].*)"
    found = (re.fullmatch(inside, line) for line in typed())
    return {each[1] for each in found if each}


@pytest.mark.parametrize("line", sorted(of_courier()))
def test_every_command_of_courier_is_one(line: str) -> None:
    check_is_one(line)


def test_the_commands_are_found() -> None:
    assert {"courier check", "courier users create admin"} <= of_courier()
    assert len(of_courier()) >= 8


def test_compose_is_asked_for_services_that_there_are() -> None:
    asked = [shlex.split(line[len(COMPOSE) :]) for line in typed() if line.startswith(COMPOSE)]
    assert len(asked) >= 8
    for verb, *rest in asked:
        if verb in {"up", "down"}:
            continue
        named = (
            word
            for before, word in zip(("", *rest), rest, strict=False)
            if not word.startswith("-") and before not in OPTIONS_WITH_VALUE
        )
        assert next(named) in services(), rest


def test_kubectl_is_asked_for_objects_of_the_overlays_in_their_namespace() -> None:
    asked = [line for line in typed() if line.startswith("kubectl ") and "/" in line]
    assert asked
    for line in asked:
        for kind, name in re.findall(r"\b(deployment|cronjob)/([a-z-]+)", line):
            of = {"deployment": "Deployment", "cronjob": "CronJob"}[kind]
            assert name in {each["metadata"]["name"] for each in of_kind("small", of)}
            assert "--namespace courier" in line


def test_secrets_are_written_for_their_owner_and_the_program_for_the_services_user() -> None:
    """In one shell, from the top of the page: a umask holds until the next one."""
    mask, seen = "022", {}
    for line in LINES:
        mask = line.split()[1] if line.startswith("umask ") else mask
        seen[line.partition(" #")[0].strip()] = mask
    assert {seen[line] for line in seen if re.search(r" >[a-z-]+$", line)} == {"077"}
    installs = [line for line in seen if re.match(r"python3 -m venv|/opt/courier/bin/pip", line)]
    assert len(installs) >= 3
    assert {seen[line] for line in installs} == {"022"}


def test_each_secret_has_the_name_that_every_way_reads_it_by() -> None:
    assert {*re.findall(r"--from-file=(\S+)", TEXT)} == SECRETS
    assert {*re.findall(r"^LoadCredential=([a-z-]+):", UNIT.read_text(), re.MULTILINE)} == SECRETS
    [installed] = re.findall(r"install -m 600 (.*) settings\.env", TEXT)
    assert {*installed.split()} == SECRETS
    assert {*re.findall(r" >([a-z-]+)$", TEXT, re.MULTILINE)} >= SECRETS
    variables = {f"COURIER_{name.upper().replace('-', '_')}_FILE" for name in SECRETS}
    assert variables == {*re.findall(r"(COURIER_\w+_FILE)=\$PWD", TEXT)}


def test_prometheus_takes_the_configuration_that_is_copied(tmp_path: Path) -> None:
    [block] = re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL)
    assert {each["job_name"] for each in yaml.safe_load(block)["scrape_configs"]} == {"courier"}
    file = tmp_path / "prometheus.yaml"
    file.write_text(block.replace("/etc/prometheus/courier", str(RULES)))
    done = subprocess.run(
        ["promtool", "check", "config", file],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 rule files found" in done.stdout
