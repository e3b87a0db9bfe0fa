"""RabbitMQ: one given by its URL, a private node, or a container."""

import os
import secrets
import shutil
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlsplit

import pika
from pika.adapters.utils.connection_workflow import AMQPConnectorException
from pika.exceptions import AMQPError

from deploy.local import containers, debian, packages
from deploy.local.processes import (
    ELSEWHERE_SECONDS,
    Child,
    Elsewhere,
    ServiceError,
    free_port,
    listens,
    wait_until,
)
from deploy.local.server import Server

URL_VARIABLE = "COURIER_AMQP_URL"
RELEASE_VARIABLE = "COURIER_TEST_RABBITMQ"
"""The Debian release whose RabbitMQ is used instead of this machine's: `trixie` has 4.0."""
_PACKAGE = "rabbitmq-server"
IMAGE = "rabbitmq:4-management"
_READY_SECONDS = 90.0
_SCRIPTS = Path("/usr/lib/rabbitmq/bin")
_NODE = "courier"

_CONFIGURATION = """\
listeners.tcp.1 = 127.0.0.1:{port}
num_acceptors.tcp = 2
vm_memory_high_watermark.absolute = 4GB
disk_free_limit.absolute = 1MB
raft.wal_max_size_bytes = 16777216
log.console = true
log.console.level = warning
log.file = false
"""

# Administered from this machine only. Idle schedulers that spin, and more than two of them, would
# only take time from the program.
_ERLANG = (
    "-kernel inet_dist_use_interface {127,0,0,1} +S 2:2 +sbwt none +sbwtdcpu none +sbwtdio none"
)

_REPLACE_VHOSTS = """
[rabbit_vhost:delete(Name, <<"tests">>) || Name <- [{old}]],
[begin
   rabbit_vhost:add(Name, <<"tests">>),
   rabbit_auth_backend_internal:set_permissions(
     <<"guest">>, Name, <<".*">>, <<".*">>, <<".*">>, <<"tests">>)
 end || Name <- [{new}]], ok.
"""


@dataclass(frozen=True)
class RabbitMQ(Server):
    """A broker, or one node of it."""

    control: Callable[[Sequence[str]], str] | None
    """Runs rabbitmqctl with these arguments; None where only the URL is known."""

    def wait_ready(self) -> None:
        """Wait until an AMQP connection opens. Raises `ServiceError` after 90 s, 5 s elsewhere."""
        if self.control is None:
            seconds = ELSEWHERE_SECONDS
            otherwise = (
                f"The RabbitMQ that {URL_VARIABLE} names opens no connection: "
                f"start it, or unset {URL_VARIABLE} to have one of our own."
            )
        else:
            seconds = _READY_SECONDS
            otherwise = (
                f"RabbitMQ opened no connection within {seconds:.0f} s: try again, "
                f"or set {URL_VARIABLE} to one that runs."
            )
        wait_until(self._opens, seconds, otherwise)

    def evaluate(self, erlang: str) -> str:
        """Evaluate an Erlang expression in the node, for example to raise an alarm.

        Raises `ServiceError` where the node refuses it or only its URL is known.
        """
        return self.administer("eval", erlang)

    def administer(self, *arguments: str) -> str:
        """Run rabbitmqctl with these arguments. Raises `ServiceError` as `evaluate` does."""
        if self.control is None:
            raise ServiceError(
                f"RabbitMQ was given by {URL_VARIABLE} and cannot be administered: "
                f"unset {URL_VARIABLE} to have one of our own."
            )
        return self.control(arguments)

    def replace_vhosts(self, old: Sequence[str], new: Sequence[str]) -> None:
        """Delete virtual hosts with all that is in them, and make new ones for the guest user.

        One call for many: 20 ms for each of them, half a second for the call.
        """
        self.evaluate(_REPLACE_VHOSTS.format(old=_binaries(old), new=_binaries(new)))

    def save_queue_list(self) -> None:
        """Have the node write down which quorum queues it has.

        It does so by itself about 2 s after a declaration. A node that is killed before comes
        back with a queue that answers nothing (RabbitMQ 3.10, one node), confirmed or not.
        """
        self.evaluate("[dets:sync(Table) || Table <- dets:all()], ok.")

    def vhost_url(self, name: str) -> str:
        """The URL of one of its virtual hosts."""
        return urlsplit(self.url)._replace(path=f"/{quote(name, safe='')}").geturl()

    def _opens(self) -> bool:
        self.process.check()
        address = pika.URLParameters(self.url)
        if not listens(address.port, address.host):
            return False
        address.blocked_connection_timeout = address.socket_timeout = 5
        try:
            pika.BlockingConnection(address).close()
        except (AMQPError, AMQPConnectorException, OSError):
            return False
        return True


def _binaries(names: Sequence[str]) -> str:
    return ",".join(f'<<"{name}">>' for name in names)


@dataclass(frozen=True)
class Programs:
    """RabbitMQ as it is installed: the server's start script, and what to run it with."""

    script: Path
    wrapper: Sequence[str] = ()


def installed() -> Programs | None:
    """RabbitMQ on this machine, or None when it is not installed.

    Raises `ServiceError` where COURIER_TEST_RABBITMQ is no name of a release.
    """
    if release := os.environ.get(RELEASE_VARIABLE):
        folder = debian.root(release, _PACKAGE)
        script = _SCRIPTS / "rabbitmq-server"
        return None if folder is None else Programs(script, debian.wrapper(folder))
    # Debian's own wrapper in PATH insists on root and the rabbitmq user.
    if (_SCRIPTS / "rabbitmq-server").exists():
        return Programs(_SCRIPTS / "rabbitmq-server")
    found = shutil.which("rabbitmq-server")
    return Programs(Path(found)) if found else None


def install() -> None:
    """Install it: this machine's own, or that of the release in COURIER_TEST_RABBITMQ.

    Raises `ServiceError` where that is not possible.
    """
    if release := os.environ.get(RELEASE_VARIABLE):
        debian.make(release, _PACKAGE)
    else:
        packages.install(_PACKAGE)


@contextmanager
def broker(folder: Path) -> Iterator[RabbitMQ]:
    """A RabbitMQ that was started, but may not be ready yet; ended on exit.

    By order: the one at `COURIER_AMQP_URL`, a container where `COURIER_TEST_CONTAINERS` asks for
    one, a private node with its data in `folder`, a container. Raises `ServiceError` where
    none of them is to be had.
    """
    programs = installed()
    if url := os.environ.get(URL_VARIABLE):
        one_node, *_ = url.split(";")
        yield RabbitMQ(one_node, Elsewhere("RabbitMQ", URL_VARIABLE), control=None)
    elif containers.wanted(IMAGE):
        with _container() as asked_for:
            yield asked_for
    elif programs is not None:
        with private_nodes(folder, programs, [_NODE]) as (node,):
            yield node
    elif containers.has_image(IMAGE) and not os.environ.get(RELEASE_VARIABLE):
        with _container() as contained:
            yield contained
    else:
        raise ServiceError(
            f"RabbitMQ is not on this machine: run `make setup`, or set {URL_VARIABLE}."
        )


@contextmanager
def private_nodes(
    folder: Path, programs: Programs, names: Sequence[str]
) -> Iterator[list[RabbitMQ]]:
    """Nodes with one cookie, started, none of them ready yet; ended on exit."""
    folder.mkdir(parents=True, exist_ok=True)
    cookie = secrets.token_hex(16)
    port = str(free_port())
    argv = ["epmd", "-port", port, "-address", "127.0.0.1"]
    epmd = Child("epmd", argv, folder / "epmd.log", wrapper=programs.wrapper)
    with ExitStack() as stack:
        # Its data goes with the folder, so there is nothing that an orderly stop would save.
        stack.callback(epmd.kill)
        epmd.start()
        nodes = []
        for name in names:
            node = _private_node(folder / name, programs, name, {"ERL_EPMD_PORT": port}, cookie)
            stack.callback(node.kill)
            node.process.start()
            nodes.append(node)
        yield nodes


def _private_node(
    folder: Path, programs: Programs, name: str, shared: dict[str, str], cookie: str
) -> RabbitMQ:
    folder.mkdir()
    port = free_port()
    env = shared | _environment(folder, node_name(name), port, cookie)

    def control(arguments: Sequence[str]) -> str:
        return _rabbitmqctl(programs, env, arguments)

    # -noinput: with RABBITMQ_ALLOW_INPUT the script becomes the node itself instead of its
    # parent, so that signals reach it; input is then closed again.
    argv = [str(programs.script), "-noinput"]
    process = Child("RabbitMQ", argv, folder / "rabbitmq.log", env, programs.wrapper)
    return RabbitMQ(f"amqp://guest:guest@127.0.0.1:{port}/", process, control)


def node_name(name: str) -> str:
    """The Erlang node's whole name."""
    return f"{name}@localhost"


def _environment(folder: Path, node: str, port: int, secret: str) -> dict[str, str]:
    """The settings of a node that shares nothing with any other but the cookie."""
    (folder / "rabbitmq.conf").write_text(_CONFIGURATION.format(port=port))
    (folder / "enabled_plugins").write_text("[].\n")
    cookie = folder / ".erlang.cookie"
    cookie.write_text(secret)
    cookie.chmod(0o400)
    return {
        "HOME": str(folder),
        "RABBITMQ_ALLOW_INPUT": "true",
        "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq.conf"),
        "RABBITMQ_CONF_ENV_FILE": os.devnull,
        "RABBITMQ_DIST_PORT": str(free_port()),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "enabled_plugins"),
        "RABBITMQ_LOG_BASE": str(folder / "log"),
        "RABBITMQ_MNESIA_BASE": str(folder / "data"),
        "RABBITMQ_NODENAME": node,
        "RABBITMQ_PID_FILE": str(folder / "rabbitmq.pid"),
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": _ERLANG,
    }


def _rabbitmqctl(programs: Programs, env: dict[str, str], arguments: Sequence[str]) -> str:
    script = str(programs.script.with_name("rabbitmqctl"))
    result = subprocess.run(
        [*programs.wrapper, script, "--quiet", "-n", env["RABBITMQ_NODENAME"], *arguments],
        env={**os.environ, **env},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    if result.returncode != 0:
        raise ServiceError(f"rabbitmqctl failed: {(result.stderr or result.stdout).strip()}")
    return result.stdout.strip()


@contextmanager
def _container() -> Iterator[RabbitMQ]:
    port = free_port()
    container = containers.Container("RabbitMQ", IMAGE, port, port_inside=5672)

    def control(arguments: Sequence[str]) -> str:
        return container.execute(["rabbitmqctl", "--quiet", *arguments])

    try:
        container.start()
        yield RabbitMQ(f"amqp://guest:guest@127.0.0.1:{port}/", container, control)
    finally:
        container.remove()
