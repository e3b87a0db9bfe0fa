"""What the manifests for Kubernetes promise the program, and what it promises them."""

import http.client
import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from pathlib import Path

import pytest

from deploy.local.processes import free_port
from tests.acceptance.program import LIMIT, Program
from tests.integration.platform import until
from tests.manifests import Manifest, container, one, pod_templates, settings
from tests.roots import first_child, in_pod

OVERLAY = "small"
"""The pods of the others differ in what they ask of their node alone."""
SECRETS = "/run/secrets/courier"


@dataclass(frozen=True)
class Pod:
    """One that runs; its ports are free ones of this machine."""

    process: subprocess.Popen[bytes]
    ports: dict[str, int]
    log: Path

    def get(self, path: str, port: str = "metrics") -> str | None:
        """What a request is answered with 200, None where it is not or nothing listens yet."""
        assert self.process.poll() is None, self.log.read_text()
        connection = http.client.HTTPConnection("127.0.0.1", self.ports[port], timeout=LIMIT)
        with suppress(OSError), closing(connection):
            connection.request("GET", path)
            response = connection.getresponse()
            body = response.read().decode()
            return body if response.status == HTTPStatus.OK else None
        return None

    def wait_probed(self, probed: Manifest) -> None:
        """Until the kubelet would be content with each of its probes."""
        for name in ("startupProbe", "livenessProbe", "readinessProbe"):
            request = probed[name]["httpGet"]
            until(partial(self.get, request["path"], request["port"]), self.log.read_text, LIMIT)

    def end(self, grace: float) -> None:
        """Ask it to end as the kubelet does; it must within the grace, and in order."""
        os.kill(first_child(self.process), signal.SIGTERM)
        assert self.process.wait(grace) == 0, self.log.read_text()
        assert "Traceback" not in self.log.read_text()


class Cluster:
    """Runs the pods of the overlay; its Secret and volumes are folders of the test."""

    def __init__(self, courier: Program, folder: Path) -> None:
        self._folder = folder
        self._secret = folder / "secret"
        self._recordings = folder / "volume"
        self._recordings.mkdir()
        self._secret.mkdir()
        secrets = {**courier.settings, "SECRET_KEYS": courier.key}
        for name, value in secrets.items():
            (self._secret / name.lower().replace("_", "-")).write_text(value)

    @contextmanager
    def running(self, template: Manifest) -> Iterator[Pod]:
        """The pod with the settings, the arguments, the user and the volumes of its template."""
        ports = {"metrics": free_port(), "console": free_port()}
        binds = {f"COURIER_{name.upper()}_BIND": f"0.0.0.0:{port}" for name, port in ports.items()}
        log = self._folder / "log"
        sources = {SECRETS: self._secret, "/recordings": self._recordings}
        mounted = [each["mountPath"] for each in container(template)["volumeMounts"]]
        with in_pod(
            container(template)["args"],
            user=template["spec"]["securityContext"]["runAsUser"],
            env={**settings(OVERLAY), **binds},
            mounts={folder: place for place, folder in sources.items() if place in mounted},
            root=self._folder / "root",
            log=log,
        ) as process:
            yield Pod(process, ports, log)


@pytest.fixture
def cluster(courier: Program, tmp_path: Path) -> Cluster:
    return Cluster(courier, tmp_path)


def test_a_worker_serves_in_its_pod_and_ends_within_the_grace(cluster: Cluster) -> None:
    template = one(OVERLAY, "Deployment")["spec"]["template"]
    worker = container(template)
    grace = template["spec"]["terminationGracePeriodSeconds"]
    grace -= worker["lifecycle"]["preStop"]["sleep"]["seconds"]
    with cluster.running(template) as pod:
        pod.wait_probed(worker)
        assert pod.get("/metrics")
        assert pod.get("/sign-in", "console")
        pod.end(grace)
        assert '"event": "service_stopped"' in pod.log.read_text()


def test_the_exporter_tells_in_its_pod_what_is_due_while_no_worker_runs(cluster: Cluster) -> None:
    template = one(OVERLAY, "Deployment", "courier-exporter")["spec"]["template"]
    with cluster.running(template) as pod:
        pod.wait_probed(container(template))
        told = pod.get("/metrics") or ""
        assert "courier_due_accounts 0.0" in told
        assert "courier_due_files 0.0" in told
        pod.end(template["spec"]["terminationGracePeriodSeconds"])


def test_the_check_says_in_its_pod_that_all_is_usable(cluster: Cluster) -> None:
    [template] = [
        each
        for each in pod_templates(OVERLAY)
        if each["metadata"]["labels"]["app.kubernetes.io/component"] == "check"
    ]
    with cluster.running(template) as pod:
        assert pod.process.wait(LIMIT) == 0, pod.log.read_text()
    log = pod.log.read_text()
    assert "RabbitMQ" in log
    assert "COURIER_SOURCE_DIRS" not in log
    assert "COURIER_EGRESS_DENY" not in log
