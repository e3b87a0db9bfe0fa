"""The image, as its recipe tells it. `make images` builds and runs it."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.test_supply import PACKAGES, ROOT, project

DOCKERFILES = ("deploy/Dockerfile", "deploy/compose/customers/Dockerfile")
PINNED = re.compile(r"[a-z0-9./-]+:v?\d+\.\d+[a-z0-9.-]*")
"""A name and a tag that tells a release."""


def instructions(name: str = "deploy/Dockerfile") -> list[tuple[str, str]]:
    """Each with what it is given; lines that go on are one, comments are none."""
    lines = [line for line in (ROOT / name).read_text().splitlines() if line[:1] != "#"]
    joined = "\n".join(lines).replace("\\\n", " ")
    words = (line.strip().partition(" ") for line in joined.splitlines() if line.strip())
    return [(word, " ".join(rest.split())) for word, _, rest in words]


def last_stage() -> list[tuple[str, str]]:
    """The instructions that make the image itself."""
    found = instructions()
    begins = max(at for at, (word, _) in enumerate(found) if word == "FROM")
    return found[begins:]


def given(word: str, among: list[tuple[str, str]]) -> list[str]:
    """What the instructions of this name are given."""
    return [rest for each, rest in among if each == word]


def bases(name: str) -> Iterator[str]:
    """The images that a Dockerfile begins with."""
    arguments = dict(rest.partition("=")[::2] for rest in given("ARG", instructions(name)))
    for rest in given("FROM", instructions(name)):
        image = rest.split()[0]
        yield arguments[image.strip("${}")] if image.startswith("$") else image


@pytest.mark.parametrize("name", DOCKERFILES)
def test_every_image_begins_with_one_of_a_release(name: str) -> None:
    assert all(PINNED.fullmatch(image) for image in bases(name))


def test_both_stages_begin_with_the_same_python() -> None:
    assert len(set(bases("deploy/Dockerfile"))) == 1
    assert len(list(bases("deploy/Dockerfile"))) == 2


def test_the_program_runs_as_a_number_that_is_not_roots() -> None:
    (user,) = given("USER", last_stage())
    assert all(int(part) >= 1000 for part in user.split(":"))


def test_only_the_environment_is_taken_over_from_the_first_stage() -> None:
    assert given("COPY", last_stage()) == ["--from=build /opt/courier /opt/courier"]
    assert not given("RUN", last_stage())
    assert not given("ADD", instructions())


def test_what_is_installed_is_the_lock_of_the_runtime_with_its_hashes() -> None:
    runs = " ".join(given("RUN", instructions()))
    assert "REQUIREMENTS=requirements-runtime.txt" in given("ARG", instructions())
    assert "--require-hashes --requirement ${REQUIREMENTS}" in runs
    assert "requirements.txt" not in runs
    assert "--only-binary :all:" in runs
    installs = re.findall(r"pip install [^&]*", runs)
    assert installs
    assert all("--no-cache-dir" in each for each in installs)
    assert not re.search(r"\b(apt|apt-get|gcc|build-essential)\b", runs)


def test_every_package_of_the_program_is_in_it() -> None:
    copied = {rest.split()[0] for rest in given("COPY", instructions())}
    assert set(PACKAGES) <= copied


def test_its_health_is_that_of_the_program() -> None:
    (check,) = given("HEALTHCHECK", last_stage())
    assert "/healthz" in check
    assert "curl" not in check


def test_its_labels_tell_what_it_is() -> None:
    (labels,) = given("LABEL", last_stage())
    for name in ("title", "description", "licenses", "version", "revision", "created"):
        assert f"org.opencontainers.image.{name}=" in labels
    assert f'licenses="{project()["license"]}"' in labels
    assert f"VERSION={project()['version']}" in given("ARG", last_stage())


def test_nothing_gets_into_the_build_but_what_it_copies() -> None:
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    rules = [line for line in lines if line and line[0] != "#"]
    assert rules[0] == "*"
    let_in = {rule[1:] for rule in rules if rule.startswith("!")}
    copied = {
        source
        for rest in given("COPY", instructions())
        if not rest.startswith("--from")
        for source in rest.split()[:-1]
    }
    assert let_in == copied
    assert "**/.env" in rules[1:]


@pytest.mark.parametrize("name", ["deploy/compose/rabbitmq", "deploy/compose/customers/serve"])
def test_the_scripts_that_containers_begin_with_are_well_formed(name: str) -> None:
    subprocess.run(["bash", "-n", ROOT / name], check=True)


def test_no_file_that_an_image_copies_is_missing() -> None:
    for name, root in zip(DOCKERFILES, (ROOT, ROOT / "deploy/compose/customers"), strict=True):
        for rest in given("COPY", instructions(name)):
            if not rest.startswith("--from"):
                assert all(Path(root, source).exists() for source in rest.split()[:-1])
