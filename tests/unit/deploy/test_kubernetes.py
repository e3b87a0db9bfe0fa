"""The manifests for Kubernetes: rendered by kubectl, and held against the schemas of a cluster."""

import subprocess
import tomllib
from collections.abc import Iterator
from copy import deepcopy
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from cloudcoil.models.keda.v1alpha1 import ScaledObject
from cloudcoil.models.prometheus_operator.v1 import PodMonitor, PrometheusRule
from cryptography.fernet import Fernet

from config.settings import CLOUD_METADATA, Settings, load_settings
from deploy.kubernetes import prometheus_rules
from tests.manifests import (
    OVERLAYS,
    Manifest,
    container,
    of_kind,
    one,
    pod_templates,
    rendered,
    settings,
)
from transports.network.addresses import PRIVATE
from worker.metric_names import named
from worker.risky_settings import risky_settings
from worker.supervisor import STOP_SECONDS

VERSION = "1.37"
CUSTOM = {"ScaledObject": ScaledObject, "PodMonitor": PodMonitor, "PrometheusRule": PrometheusRule}
"""Kind -> the operator's own schema: KEDA 2.16, Prometheus operator 0.80."""
SECRETS = "/run/secrets/courier"
SECRET_SETTINGS = ("amqp_url", "mongodb_url", "smtp_url", "secret_keys")
AUTOSCALED = "autoscaled"

each_overlay = pytest.mark.parametrize("overlay", OVERLAYS)


def validate(manifest: Manifest) -> None:
    """Raise where a cluster would refuse it, or drop a field that it does not know."""
    kind = manifest["kind"]
    if kind not in CUSTOM:
        kubernetes_validate.validate(manifest, VERSION, strict=True)
        return
    read: Any = CUSTOM[kind].model_validate(manifest)
    kept = read.model_dump(mode="json", by_alias=True, exclude_unset=True)
    assert kept == manifest, "the operator would read something else"


@each_overlay
def test_every_object_is_as_the_schemas_of_kubernetes_and_of_the_operators_have_it(
    overlay: str,
) -> None:
    for manifest in rendered(overlay):
        validate(manifest)


@pytest.mark.parametrize("kind", ["Deployment", "NetworkPolicy", *CUSTOM])
def test_a_misspelt_field_would_be_found(kind: str) -> None:
    manifest = deepcopy(of_kind(AUTOSCALED, kind)[0])
    validate(manifest)
    manifest["spec"]["selectr"] = {}
    with pytest.raises((kubernetes_validate.ValidationError, AssertionError)):
        validate(manifest)


@each_overlay
def test_nothing_stands_in_another_namespace_or_twice(overlay: str) -> None:
    objects = [each for each in rendered(overlay) if each["kind"] != "Namespace"]
    assert {each["metadata"]["namespace"] for each in objects} == {"courier"}
    names = [(each["kind"], each["metadata"]["name"]) for each in objects]
    assert len(names) == len(set(names))


@each_overlay
def test_every_pod_is_as_the_restricted_standard_wants_it(overlay: str) -> None:
    [namespace] = of_kind(overlay, "Namespace")
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    for template in pod_templates(overlay):
        pod = template["spec"]
        assert pod["securityContext"]["runAsNonRoot"]
        assert pod["securityContext"]["runAsUser"] > 0
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert container(template)["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert {"cpu", "memory"} <= set(container(template)["resources"]["requests"])
        assert "memory" in container(template)["resources"]["limits"]


@each_overlay
def test_no_pod_has_a_token_or_the_variables_of_services(overlay: str) -> None:
    assert not one(overlay, "ServiceAccount")["automountServiceAccountToken"]
    for template in pod_templates(overlay):
        assert not template["spec"]["automountServiceAccountToken"]
        # The Service "courier" would give COURIER_PORT, with which the program does not start.
        assert template["spec"]["enableServiceLinks"] is False


@each_overlay
def test_no_secret_is_in_a_manifest_but_its_file(overlay: str) -> None:
    assert not of_kind(overlay, "Secret")
    [generated] = of_kind(overlay, "ConfigMap")
    for template in pod_templates(overlay):
        assert "env" not in container(template)
        reference = {"configMapRef": {"name": generated["metadata"]["name"]}}
        assert container(template)["envFrom"] == [reference]
    given = settings(overlay)
    for name in SECRET_SETTINGS:
        variable = f"COURIER_{name.upper()}"
        assert variable not in given
        assert given[f"{variable}_FILE"] == f"{SECRETS}/{name.replace('_', '-')}"
        assert "Secret" in str(Settings.model_fields[name].annotation)


@pytest.fixture
def mounted(tmp_path: Path) -> Path:
    """The files of the Secret, as its volume has them."""
    (tmp_path / "amqp-url").write_text("amqps://courier:secret@rabbitmq.rabbitmq.svc:5671/")
    (tmp_path / "mongodb-url").write_text("mongodb://mongodb.mongodb.svc/courier?tls=true")
    (tmp_path / "smtp-url").write_text("smtp+starttls://mail.mail.svc:587")
    (tmp_path / "secret-keys").write_text(Fernet.generate_key().decode())
    return tmp_path


@each_overlay
def test_the_program_takes_the_settings_and_warns_of_no_network_and_no_folder(
    overlay: str, mounted: Path
) -> None:
    given = {
        name: value.replace(SECRETS, str(mounted)) for name, value in settings(overlay).items()
    }
    taken = load_settings(given, mounted / "no.env")
    assert taken.secret_keys
    assert taken.source_dirs == (Path("/recordings"),)
    assert {each.name for each in risky_settings(taken)} <= {"sources", "user"}  # of this machine
    assert taken.metrics_bind == "0.0.0.0:9108"
    assert taken.trusted_proxies


@each_overlay
def test_a_pod_has_longer_than_the_program_takes_to_stop(overlay: str) -> None:
    template = one(overlay, "Deployment")["spec"]["template"]
    before = container(template)["lifecycle"]["preStop"]["sleep"]["seconds"]
    assert template["spec"]["terminationGracePeriodSeconds"] >= before + STOP_SECONDS + 30


@each_overlay
def test_the_probes_ask_what_is_answered_and_wait_for_the_answer(overlay: str) -> None:
    for name in ("courier", "courier-exporter"):
        probed = container(one(overlay, "Deployment", name)["spec"]["template"])
        for probe, path in {
            "startupProbe": "/healthz",
            "livenessProbe": "/healthz",
            "readinessProbe": "/readyz",
        }.items():
            assert probed[probe]["httpGet"] == {"path": path, "port": "metrics"}
            assert probed[probe]["timeoutSeconds"] > 2  # within which an answer comes
        assert {"name": "metrics", "containerPort": 9108} in probed["ports"]


@each_overlay
def test_what_is_written_anywhere_is_a_volume_and_the_recordings_are_read_only(
    overlay: str,
) -> None:
    for template in pod_templates(overlay):
        mounts = {each["mountPath"]: each for each in container(template)["volumeMounts"]}
        volumes = {each["name"]: each for each in template["spec"]["volumes"]}
        writable = [path for path, each in mounts.items() if not each.get("readOnly")]
        assert writable == ["/tmp"]  # noqa: S108 - the pod's own
        assert "emptyDir" in volumes[mounts["/tmp"]["name"]]  # noqa: S108 - the same
        assert volumes[mounts[SECRETS]["name"]]["secret"]["secretName"] == "courier"


def matches(selector: Manifest, labels: dict[str, str]) -> bool:
    """Whether a selector of labels takes these."""
    wanted = selector.get("matchLabels", {})
    expressions = selector.get("matchExpressions", [])
    assert all(each["operator"] == "In" for each in expressions)
    return all(labels.get(key) == value for key, value in wanted.items()) and all(
        labels.get(each["key"]) in each["values"] for each in expressions
    )


@each_overlay
def test_every_selector_takes_the_pods_that_it_is_for(overlay: str) -> None:
    pods = {
        each["metadata"]["labels"]["app.kubernetes.io/component"]: each["metadata"]["labels"]
        for each in pod_templates(overlay)
    }
    assert set(pods) == {"worker", "exporter", "check"}

    def taken(selector: Manifest) -> set[str]:
        return {name for name, labels in pods.items() if matches(selector, labels)}

    service = one(overlay, "Service")["spec"]
    assert taken({"matchLabels": service["selector"]}) == {"worker"}
    assert taken(one(overlay, "PodDisruptionBudget")["spec"]["selector"]) == {"worker"}
    assert taken(one(overlay, "PodMonitor")["spec"]["selector"]) == {"worker", "exporter"}
    policies = {
        each["metadata"]["name"]: taken(each["spec"]["podSelector"])
        for each in of_kind(overlay, "NetworkPolicy")
    }
    assert policies == {
        "default-deny": set(pods),
        "courier-services": set(pods),
        "courier-callers": set(pods),
        "courier-mail": {"worker", "check"},
        "courier-customers": {"worker"},
    }
    worker = container(one(overlay, "Deployment")["spec"]["template"])
    ports = {each["name"] for each in worker["ports"]}
    assert {each["targetPort"] for each in service["ports"]} == ports
    endpoints = one(overlay, "PodMonitor")["spec"]["podMetricsEndpoints"]
    assert [each["port"] for each in endpoints] == ["metrics"]


@each_overlay
def test_customers_are_outside_of_private_networks_and_of_cloud_metadata(overlay: str) -> None:
    deny = one(overlay, "NetworkPolicy", "default-deny")["spec"]
    assert deny == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    [rule] = one(overlay, "NetworkPolicy", "courier-customers")["spec"]["egress"]
    inside = [*PRIVATE, *map(ip_network, CLOUD_METADATA.split(","))]
    blocks = [each["ipBlock"] for each in rule["to"]]
    assert {ip_network(each["cidr"]).version for each in blocks} == {4, 6}
    for block in blocks:
        excluded = [ip_network(each) for each in block.get("except", [])]
        for network in inside:
            if not network.overlaps(ip_network(block["cidr"])):
                continue
            assert any(
                network.network_address in each and network.prefixlen >= each.prefixlen
                for each in excluded
            ), network


@pytest.mark.parametrize("overlay", [each for each in OVERLAYS if each != AUTOSCALED])
def test_a_fixed_number_of_workers_is_more_than_one(overlay: str) -> None:
    assert one(overlay, "Deployment")["spec"]["replicas"] >= 2
    assert one(overlay, "PodDisruptionBudget")["spec"]["maxUnavailable"] == 1


def test_the_autoscaler_alone_says_how_many_workers_there_are() -> None:
    deployment = one(AUTOSCALED, "Deployment")
    scaled = one(AUTOSCALED, "ScaledObject")["spec"]
    assert "replicas" not in deployment["spec"]
    assert scaled["scaleTargetRef"]["name"] == deployment["metadata"]["name"]
    assert 1 <= scaled["minReplicaCount"] < scaled["fallback"]["replicas"]
    assert scaled["fallback"]["replicas"] < scaled["maxReplicaCount"] <= 64


def triggers() -> Iterator[dict[str, str]]:
    for each in one(AUTOSCALED, "ScaledObject")["spec"]["triggers"]:
        assert each["type"] == "prometheus"
        assert each["metadata"]["ignoreNullValues"] == "false"
        yield each["metadata"]


def test_the_autoscaler_asks_for_due_work_that_is_measured() -> None:
    known = {each.name for each in named()}
    for trigger in triggers():
        asked = {name for name in known if name in trigger["query"]}
        assert asked
        assert asked <= {"courier_due_accounts", "courier_due_files"}


@pytest.mark.parametrize(
    ("accounts", "files", "workers"),
    [(0, 0, 0), (48, 100, 2), (1, 100_000, 1), (20, 40_000, 10), (240, 4_000, 10)],
)
def test_the_autoscaler_wants_workers_by_accounts_and_files_and_no_more_than_accounts(
    accounts: int, files: int, workers: int, tmp_path: Path
) -> None:
    """Prometheus' own engine answers; what KEDA makes of it is the value by the threshold."""
    rules = {f"wanted:{number}": each for number, each in enumerate(triggers())}
    recorded = [
        {"record": name, "expr": f"({each['query']}) / {each['threshold']}"}
        for name, each in rules.items()
    ]
    together = " or ".join(f'label_replace({name}, "of", "{name}", "", "")' for name in rules)
    test = {
        "rule_files": ["rules.yaml"],
        "evaluation_interval": "15s",
        "tests": [
            {
                "interval": "15s",
                # As a worker and the exporter tell them: the same from both.
                "input_series": [
                    {"series": f'{name}{{namespace="courier",pod="{pod}"}}', "values": f"{value}x8"}
                    for name, value in (
                        ("courier_due_accounts", accounts),
                        ("courier_due_files", files),
                    )
                    for pod in ("courier-1", "courier-exporter-1")
                ],
                "promql_expr_test": [
                    {
                        "expr": f"ceil(max({together}))",
                        "eval_time": "2m",
                        "exp_samples": [{"labels": "{}", "value": workers}],
                    }
                ],
            }
        ],
    }
    groups = {"groups": [{"name": "wanted", "rules": recorded}]}
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump(groups))
    (tmp_path / "test.yaml").write_text(yaml.safe_dump(test))
    done = subprocess.run(
        ["promtool", "test", "rules", "test.yaml"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_operators_rules_are_those_of_prometheus_itself() -> None:
    written = prometheus_rules.WRITTEN.read_text()
    assert written == prometheus_rules.manifest(), (
        "run: python -m deploy.kubernetes.prometheus_rules"
    )
    files = sorted(prometheus_rules.RULES.glob("*.yaml"))
    groups = [each for file in files for each in yaml.safe_load(file.read_text())["groups"]]
    assert yaml.safe_load(written)["spec"]["groups"] == groups


@each_overlay
def test_the_image_is_the_one_that_the_dockerfile_makes(overlay: str) -> None:
    root = Path(prometheus_rules.__file__).parents[2]
    lines = (root / "deploy" / "Dockerfile").read_text().splitlines()
    project = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    assert 'ENTRYPOINT ["courier"]' in lines
    for template in pod_templates(overlay):
        user = template["spec"]["securityContext"]
        assert f"USER {user['runAsUser']}:{user['runAsGroup']}" in lines
        assert container(template)["image"].endswith(f"/courier:{project['version']}")
        assert "command" not in container(template)
