"""What the build tells of the program's parts: their licences, and the list for scanners."""

import json
import subprocess
import sys
from pathlib import Path

from tests.unit.test_supply import CLOUDS, ROOT, RUNTIME, locked

BIN = Path(sys.executable).parent


def licences(*packages: str) -> subprocess.CompletedProcess[str]:
    """As `make lint` has them looked at."""
    command = [str(BIN / "pip-licenses"), "--packages", *packages]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_what_the_program_runs_with_has_licences_that_are_allowed() -> None:
    looked = licences(*locked(CLOUDS))
    assert looked.returncode == 0, looked.stderr
    assert "pymongo" in looked.stdout
    assert "paramiko" not in looked.stdout  # allowed by its name


def test_another_licence_is_not_let_through() -> None:
    looked = licences("pymongo", "asyncssh")
    assert looked.returncode != 0
    assert "asyncssh" in looked.stderr


def test_the_list_for_scanners_has_each_package_with_its_version_and_hashes(
    tmp_path: Path,
) -> None:
    command = ["make", "--silent", "sbom", f"SBOM={tmp_path / 'courier.cdx.json'}"]
    subprocess.run(command, cwd=ROOT, check=True)
    told = json.loads((tmp_path / "courier.cdx.json").read_text())
    assert told["bomFormat"] == "CycloneDX"
    assert told["metadata"]["component"]["name"] == "courier"
    found = {
        each["name"]: (
            each["version"],
            frozenset(
                f"sha256:{digest['content']}"
                for place in each["externalReferences"]
                for digest in place["hashes"]
            ),
        )
        for each in told["components"]
    }
    assert found == locked(RUNTIME)
