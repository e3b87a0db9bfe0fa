"""The overlays for Kubernetes as `kubectl` renders them, for the tests."""

import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, TypeAlias

import yaml

Manifest: TypeAlias = dict[str, Any]

KUBERNETES = Path(__file__).parents[1] / "deploy" / "kubernetes"
OVERLAYS = sorted(each.name for each in (KUBERNETES / "overlays").iterdir())
_KUBECTL = Path(sys.executable).with_name("kubectl")


@cache
def rendered(overlay: str) -> list[Manifest]:
    """Every object of it, in the order in which they are applied."""
    done = subprocess.run(
        [_KUBECTL, "kustomize", KUBERNETES / "overlays" / overlay],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == "", "what is deprecated is said on stderr"
    return list(yaml.safe_load_all(done.stdout))


def of_kind(overlay: str, kind: str) -> list[Manifest]:
    return [each for each in rendered(overlay) if each["kind"] == kind]


def one(overlay: str, kind: str, name: str = "courier") -> Manifest:
    [found] = [each for each in of_kind(overlay, kind) if each["metadata"]["name"] == name]
    return found


def pod_templates(overlay: str) -> Iterator[Manifest]:
    """Of everything that runs pods."""
    for each in rendered(overlay):
        if each["kind"] == "Deployment":
            yield each["spec"]["template"]
        if each["kind"] == "CronJob":
            yield each["spec"]["jobTemplate"]["spec"]["template"]


def settings(overlay: str) -> dict[str, str]:
    """What the pods have as their environment."""
    [found] = of_kind(overlay, "ConfigMap")
    data: dict[str, str] = found["data"]
    return data


def container(template: Manifest) -> Manifest:
    """The only one of a pod."""
    [found] = template["spec"]["containers"]
    assert isinstance(found, dict)
    return found
