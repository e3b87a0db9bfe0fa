"""Images under the names of those that cannot be pulled, from Debian's packages."""

import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from deploy.images.engine import SOURCE, Engine, import_base
from deploy.local import mongodb, rabbitmq
from deploy.local.folders import LIBRARIES
from deploy.local.processes import ServiceError

DEBIAN = "debian:13.1-slim"
FOLDER = Path(__file__).parent / "standins"
ORDER = ("python", "rabbitmq", "mongo", "prometheus", "alertmanager", "mailpit")
_HEAD = re.compile(r"# (?P<image>\S+), (?P<real>real|not real): (?P<what>.+)")
_MACHINE = ("etc/pip.conf", "etc/ssl/certs/ca-certificates.crt")
"""How this machine reaches its registry of Python packages."""


@dataclass(frozen=True)
class StandIn:
    """An image, and whether the program in it is the one that its name promises."""

    file: Path
    image: str
    real: bool
    what: str


def standins() -> list[StandIn]:
    """All, as the first line of each recipe tells."""
    return [_read(FOLDER / f"{name}.Dockerfile") for name in ORDER]


def build(engine: Engine) -> None:
    """Build them all, and tag those that the tests name."""
    import_base(engine, DEBIAN)
    context = SOURCE / FOLDER.relative_to(FOLDER.parents[2])
    _add_what_the_machine_has(context)
    for each in standins():
        file = context / each.file.name
        _build(engine, each.image, f"/source/{file.relative_to(SOURCE)}", context)
    for image, name in ((rabbitmq.IMAGE, "rabbitmq"), (mongodb.IMAGE, "mongo")):
        engine.docker("tag", _read(FOLDER / f"{name}.Dockerfile").image, image)


def _build(engine: Engine, image: str, file: str, context: Path) -> None:
    engine.docker(
        *("build", "--quiet", "--network", "host", "--tag", image),
        *("--file", file, f"/source/{context.relative_to(SOURCE)}"),
    )


def _add_what_the_machine_has(context: Path) -> None:
    for name in _MACHINE:
        target = context / "machine" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if Path("/", name).exists():
            shutil.copyfile(Path("/", name), target)
    mongod = mongodb.installed()
    if mongod is None:
        raise ServiceError("MongoDB is not on this machine: run `make setup`.")
    (context / "mongodb" / "lib").mkdir(parents=True)
    shutil.copy2(mongod, context / "mongodb" / "mongod")
    for library in LIBRARIES.glob("*.so.*"):
        shutil.copy2(library, context / "mongodb" / "lib")


def _read(file: Path) -> StandIn:
    head = file.read_text().splitlines()[0]
    told = _HEAD.fullmatch(head)
    if told is None:
        raise ServiceError(f"{file.name} does not tell its image in its first line.")
    return StandIn(file, told["image"], told["real"] == "real", told["what"])
