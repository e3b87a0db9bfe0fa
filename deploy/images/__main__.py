"""Builds the image, runs it and all of the compose file, and the tests on containers.

`make images` runs this; `TESTS=...` names other tests. Ends with 0 only if all of it held, and
writes docs/images.md either way.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlencode

from deploy.grafana.dashboards import FOLDER as DASHBOARDS
from deploy.images import standins
from deploy.images.engine import HOME, Engine, engine, make_root
from deploy.local.containers import VARIABLE
from deploy.local.folders import STATE
from deploy.local.processes import ServiceError, wait_until

IMAGE = "courier:0.1.0"
COMPOSE = ("compose", "--file", "deploy/compose.yaml")
CLUSTER = {"COMPOSE_PROFILES": "cluster"}
LEFT_OUT = {"grafana": "Grafana is no package of Debian's: its provisioning was not loaded"}
TESTS = ("tests/integration/test_delivery.py", "tests/integration/test_local_services.py")
TEST_LOG = STATE / "images-tests.log"
PANEL = "Since the last delivery"
REPORT = STATE.parent / "docs" / "images.md"
_LIMIT = 300.0
_TEST_SECONDS = 2 * 3600

# Runs in the container of courier: nothing else there can ask.
_ASK = """
import json, sys, urllib.request
with urllib.request.urlopen(sys.argv[1], timeout=10) as answer: print(answer.read().decode())
"""
_TOOLS = "for tool in cc gcc g++ make ld curl; do command -v $tool; done; ls -d ~root/.cache /tmp/*"
_LABELS = "{{json .Config.Labels}}"

Step = Callable[[Engine], Iterator[str]]


class NotAsPromised(Exception):
    """Something was built or ran, and is not what its recipe promises."""


def main() -> int:
    """0 where all steps held."""
    parser = argparse.ArgumentParser(prog="make images", description=__doc__)
    parser.add_argument("tests", nargs="*", default=TESTS, help="what pytest runs on containers")
    tests = parser.parse_args().tests
    if os.geteuid() != 0:
        print("Only root may make another Debian and start an engine in it.", file=sys.stderr)
        return 1
    began = time.monotonic()
    commit = _git("describe", "--always", "--dirty")  # before the long run, while others may commit
    told: list[str] = []
    problem = _try_all(told, tests)
    _write(commit, told, problem, time.monotonic() - began)
    if problem:
        print(problem, file=sys.stderr)
    return 1 if problem else 0


def _try_all(told: list[str], tests: Sequence[str]) -> str | None:
    """What was seen is added to `told`; what went wrong, or None."""
    try:
        make_root()
        with engine(apart=False) as builder:
            _take(_build(builder), told)
        with engine(apart=True) as running:
            for step in (_look_into, _run_compose, _run_cluster, _on_containers(tests)):
                _take(step(running), told)
    except (ServiceError, NotAsPromised, subprocess.SubprocessError, OSError) as error:
        return str(error)
    finally:
        shutil.rmtree(HOME, ignore_errors=True)
    return None


def _take(lines: Iterator[str], told: list[str]) -> None:
    for line in lines:
        print(line, flush=True)
        told.append(line)


# --- the steps: each yields what it has seen -------------------------------------------------


def _build(builder: Engine) -> Iterator[str]:
    standins.build(builder)
    commit = _git("rev-parse", "--short", "HEAD")
    arguments = ("--build-arg", f"REVISION={commit}", "--build-arg", f"CREATED={_now()}")
    builder.docker(
        *("build", "--quiet", "--network", "host", "--tag", IMAGE, *arguments),
        *("--file", "deploy/Dockerfile", "."),
    )
    builder.docker(
        *("build", "--quiet", "--network", "host", "--tag", "courier-customer:0.1.0"),
        "deploy/compose/customers",
    )
    yield f"`deploy/Dockerfile` was built on {builder.docker('version', '--format', _VERSION)}"


_VERSION = "Docker {{.Server.Version}}"


def _look_into(running: Engine) -> Iterator[str]:
    labels = json.loads(running.docker("image", "inspect", IMAGE, "--format", _LABELS))
    _hold(labels["org.opencontainers.image.title"] == "Courier", "it has no title")
    once = ("run", "--rm", "--network", "none", "--read-only", "--tmpfs", "/tmp")  # noqa: S108 - in the container
    shell = (*once, "--entrypoint", "sh", IMAGE, "-c")
    user = running.docker(*shell, "id -u")
    _hold(user == "10001", f"it runs as {user}")
    # As root, who alone may look into root's own folder.
    search = (*once, "--user", "0", "--entrypoint", "sh", IMAGE, "-c")
    found = running.docker(*search, f"{{ {_TOOLS}; }} 2>/dev/null || true")
    _hold(not found, f"there is {found}")
    packages = running.docker(*shell, "ls /opt/courier/lib/python3*/site-packages").split()
    extra = {"pip", "pytest", "mypy", "ruff", "testcontainers"} & set(packages)
    _hold(not extra, f"it has {', '.join(extra)}")
    yield "it runs as 10001, has no compiler, no cache, no pip of its own and no tool of the tests"
    version = running.docker(*once, IMAGE, "--help").splitlines()
    _hold(any("courier" in line.lower() for line in version), "courier --help says nothing")
    yield "`courier --help` answers on a root file system that cannot be written to"


def _run_compose(running: Engine) -> Iterator[str]:
    running.docker(*COMPOSE, "config", "--quiet")
    names = [name for name in _services(running) if name not in LEFT_OUT]
    running.docker(*COMPOSE, "up", "--no-build", "--detach", *names)
    yield f"`docker compose up` started {', '.join(sorted(names))}"
    yield from _delivered(running)
    _wait(lambda: _health(running) == "healthy", "courier to be healthy")
    _refuses_to_write(running)
    yield "courier is healthy, as 10001 on a root file system that cannot be written to"
    _wait(lambda: _scraped(running), "Prometheus to scrape courier")
    rules = json.loads(_asked(running, "http://prometheus:9090/api/v1/rules"))["data"]["groups"]
    yield f"Prometheus scrapes courier, knows its Alertmanager and has {len(rules)} groups of rules"
    _wait(lambda: _canary_sings(running), "the canary's recording")
    yield "the canary's recording of the minute arrived and was read back"
    _wait(lambda: _on_dashboard(running) < _LIMIT, "the dashboard to show a delivery")
    yield f"the dashboard's “{PANEL}” shows a delivery of the last {_LIMIT / 60:.0f} minutes"
    running.docker(*COMPOSE, "stop", "courier")
    code = running.docker("inspect", "courier-courier-1", "--format", "{{.State.ExitCode}}")
    _hold(code == "0", f"courier ended with {code}")
    yield "`docker compose stop` ends courier in order, with exit code 0"
    running.docker(*COMPOSE, "down", "--volumes")


def _run_cluster(running: Engine) -> Iterator[str]:
    names = ["courier", "rabbitmq", "rabbitmq-2", "rabbitmq-3", "customer-sftp", "customer-ftp"]
    running.docker(*COMPOSE, "up", "--no-build", "--detach", *names, environment=CLUSTER)
    nodes = ("exec", "-T", "rabbitmq", "rabbitmqctl", "--quiet", "eval")
    count = "length(rabbit_nodes:list_running())."
    _wait(lambda: running.docker(*COMPOSE, *nodes, count) == "3", "the three nodes to be one")
    yield "with `COMPOSE_PROFILES=cluster` RabbitMQ is three nodes in one cluster"
    yield from _delivered(running, CLUSTER)
    running.docker(*COMPOSE, "down", "--volumes", environment=CLUSTER)


def _on_containers(tests: Sequence[str]) -> Step:
    def step(running: Engine) -> Iterator[str]:
        variables = {
            "DOCKER_HOST": running.url,
            VARIABLE: "1",
            # The reaper is an image from outside, too; the engine ends with all it has started.
            "TESTCONTAINERS_RYUK_DISABLED": "true",
        }
        with TEST_LOG.open("w") as log:
            done = subprocess.run(
                [*running.within(), sys.executable, "-m", "pytest", "-q", *tests],
                env={**os.environ, **variables},
                stdout=log,
                stderr=log,
                timeout=_TEST_SECONDS,
                check=False,
            )
        last = TEST_LOG.read_text().strip().splitlines()[-1].strip("= ")
        log_name = TEST_LOG.relative_to(STATE.parent)
        _hold(done.returncode == 0, f"the tests on containers ended with “{last}”: see {log_name}")
        yield f"`{VARIABLE}=1 pytest {' '.join(tests)}`: {last}"

    return step


# --- what they ask ---------------------------------------------------------------------------


def _services(running: Engine) -> list[str]:
    return running.docker(*COMPOSE, "config", "--services").split()


def _delivered(running: Engine, environment: dict[str, str] | None = None) -> Iterator[str]:
    said = running.docker(*COMPOSE, "run", "--rm", "-T", "deliver", environment=environment)
    lines = [line for line in said.splitlines() if line.startswith("delivered:")]
    _hold(len(lines) == 2, f"`run --rm deliver` said {said[-300:]}")  # noqa: PLR2004 - two customers
    for line in lines:
        yield f"`docker compose run --rm deliver`: {line}"


def _health(running: Engine) -> str:
    return running.docker("inspect", "courier-courier-1", "--format", "{{.State.Health.Status}}")


def _refuses_to_write(running: Engine) -> None:
    shell = "id -u; touch /opt/courier/x /var/x 2>/dev/null && echo written"
    said = running.docker(*COMPOSE, "exec", "-T", "courier", "sh", "-c", f"{shell}; true")
    _hold(said == "10001", f"in the container: {said}")


def _scraped(running: Engine) -> bool:
    targets = json.loads(_asked(running, "http://prometheus:9090/api/v1/targets"))["data"]
    told = json.loads(_asked(running, "http://prometheus:9090/api/v1/alertmanagers"))["data"]
    up = {each["labels"]["job"] for each in targets["activeTargets"] if each["health"] == "up"}
    return "courier" in up and bool(told["activeAlertmanagers"])


def _canary_sings(running: Engine) -> bool:
    url = "http://prometheus:9090/api/v1/query?query=max(courier_canary_success)"
    (found,) = json.loads(_asked(running, url))["data"]["result"]
    return bool(found["value"][1] == "1")


def _on_dashboard(running: Engine) -> float:
    """What the panel's own query answers, in seconds."""
    panels = json.loads((DASHBOARDS / "courier-overview.json").read_text())["panels"]
    [query] = [each["targets"][0]["expr"] for each in panels if each["title"] == PANEL]
    asked = urlencode({"query": query.replace("$job", ".+")})
    answer = json.loads(_asked(running, f"http://prometheus:9090/api/v1/query?{asked}"))
    (found,) = answer["data"]["result"]
    return float(found["value"][1])


def _asked(running: Engine, url: str) -> str:
    return running.docker(*COMPOSE, "exec", "-T", "courier", "python3", "-c", _ASK, url)


def _wait(condition: Callable[[], bool], what: str) -> None:
    def holds() -> bool:
        try:
            return condition()
        except (ServiceError, ValueError):
            return False

    wait_until(holds, _LIMIT, f"Waited {_LIMIT:.0f} s for {what}.")


def _hold(fact: bool, otherwise: str) -> None:  # noqa: FBT001 - an assertion of its own
    if not fact:
        raise NotAsPromised(f"{IMAGE}: {otherwise}.")


# --- what is written down --------------------------------------------------------------------


def _write(commit: str, told: Sequence[str], problem: str | None, seconds: float) -> None:
    result = f"**failed**: {problem.rstrip('.')}" if problem else "all of it held"
    lines = [
        "# The image, the compose file, and the tests in containers",
        "",
        "`make images` builds and runs them on a Docker engine of its own (root, Debian 12 or 13),",
        "which stands in a folder of the checkout and is gone afterwards. Images are not pulled:",
        "those that ours and the compose file name are built from Debian's packages, under their",
        "names. The last result, written by the command:",
        "",
        f"{datetime.now(UTC):%Y-%m-%d}, commit {commit}: {result},",
        f"in {seconds / 60:.0f} min on {os.cpu_count()} cores.",
        "",
        *(f"- {line}" for line in told),
        "",
        "## Which programs were the real ones",
        "",
        "| image | the program in it |",
        "|---|---|",
        f"| `{standins.DEBIAN}` | real: made by debootstrap |",
        *(
            f"| `{each.image}` | {'real' if each.real else 'not the real one'}: {each.what} |"
            for each in standins.standins()
        ),
        *(f"| {name} | not started: {why} |" for name, why in LEFT_OUT.items()),
    ]
    REPORT.write_text("\n".join(lines) + "\n")
    print(f"Written to {REPORT.relative_to(Path.cwd())}.")


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _git(*arguments: str) -> str:
    command = ["git", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


if __name__ == "__main__":
    sys.exit(main())
