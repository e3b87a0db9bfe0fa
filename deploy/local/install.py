"""Installs the services that this machine lacks: `python -m deploy.local.install [--tests]`.

Without the option: RabbitMQ and MongoDB. With it, the customers' servers, the browser and the
Prometheus of the tests, and the programs that the benchmarks compare with, as well.
What is there already is left alone, so a second run takes a moment.
"""

import argparse
import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

from deploy.local import containers, mongodb, npm, packages, rabbitmq
from deploy.local.processes import ServiceError

CUSTOMERS_SERVERS = {
    "openssh-server": "sshd",
    "dropbear-bin": "dropbear",
    "vsftpd": "vsftpd",
    "python3-twisted": "twistd3",
    "chromium": "chromium",
}
"""Debian package -> the program that the tests start; Chromium is the customer's browser."""
PROXIES = {"microsocks": "microsocks", "tinyproxy-bin": "tinyproxy"}
"""Debian package -> the program: proxies through which customers' servers are reached."""
BESIDE_EACH_OTHER = (
    ("proftpd-core", "proftpd-mod-crypto"),
    ("pure-ftpd",),
    ("inetutils-ftpd",),
)
"""Debian packages of FTP servers, of which a machine can have one installed."""
MONITORING = {"prometheus": "promtool", "prometheus-alertmanager": "amtool"}
"""Debian package -> the program that the tests judge metrics, rules and the routes of alerts by."""
SYSTEMD = {"systemd": "systemd-analyze"}
"""The same for the unit of the service: the tests run it by systemd in namespaces of their own."""
CLIENTS = {"curl": "curl", "jq": "jq"}
"""The same for the examples of the guide to the API."""
SHELLS = {"zsh": "zsh", "fish": "fish"}
"""The same for what is completed in a shell."""
PEERS = {"openssh-client": "sftp", "lftp": "lftp"}
"""Debian package -> the program that the benchmarks compare with; rclone comes from PyPI."""


def main() -> int:
    """Install what is missing, a line for each; 1 when something could not be had."""
    parser = argparse.ArgumentParser(prog="python -m deploy.local.install")
    parser.add_argument("--tests", action="store_true", help="the customers' servers as well")
    with_tests = parser.parse_args().tests
    try:
        _say("RabbitMQ", _have_rabbitmq())
        _say("MongoDB", _have_mongodb())
        if with_tests:
            _say("Customers' servers", _have("Customers' servers", CUSTOMERS_SERVERS))
            _say("Proxies", _have("Proxies", PROXIES))
            _say("FTP servers", _unpack_servers())
            _say("Servers of npm", _have_packages_of_npm())
            _say("Monitoring", _have("Monitoring", MONITORING))
            _say("systemd", _have("systemd", SYSTEMD))
            _say("Clients", _have("Clients", CLIENTS))
            _say("Shells", _have("Shells", SHELLS))
            _say("Peers", _have("Peers", PEERS))
    except ServiceError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _have_rabbitmq() -> str:
    if os.environ.get(rabbitmq.URL_VARIABLE):
        return f"given by {rabbitmq.URL_VARIABLE}"
    if rabbitmq.installed():
        return "installed"
    release = os.environ.get(rabbitmq.RELEASE_VARIABLE)
    if not release and (containers.has_image(rabbitmq.IMAGE) or containers.pull(rabbitmq.IMAGE)):
        return f"container {rabbitmq.IMAGE}"
    _say("RabbitMQ", f"installing the rabbitmq-server of Debian {release or ''}...")
    rabbitmq.install()
    return "installed"


def _have_mongodb() -> str:
    if os.environ.get(mongodb.URL_VARIABLE):
        return f"given by {mongodb.URL_VARIABLE}"
    if mongodb.installed():
        return "installed"
    if containers.has_image(mongodb.IMAGE) or containers.pull(mongodb.IMAGE):
        return f"container {mongodb.IMAGE}"
    _say("MongoDB", "fetching OpenSSL 1.1 for the packaged mongod ...")
    _make_packaged_mongod_run()
    return "installed"


def _make_packaged_mongod_run() -> None:
    mongod = mongodb.in_wheel()
    if mongod is None:
        raise ServiceError("The Python package with MongoDB is missing: run `make setup`.")
    packages.fetch_openssl_1_1()
    if not mongodb.runs(mongod):
        packages.install("libcurl4")
    if not mongodb.runs(mongod):
        raise ServiceError(
            "The packaged MongoDB does not run on this machine: "
            f"install MongoDB by hand, or set {mongodb.URL_VARIABLE}."
        )


def _have(what: str, wanted: Mapping[str, str]) -> str:
    missing = [package for package, name in wanted.items() if not program(name)]
    if missing:
        _say(what, f"installing Debian's {' and '.join(missing)} ...")
        packages.install(*missing)
    return "installed"


def _unpack_servers() -> str:
    for group in BESIDE_EACH_OTHER:
        packages.unpack(*group)
    return f"{', '.join(group[0] for group in BESIDE_EACH_OTHER)} unpacked"


def _have_packages_of_npm() -> str:
    for locked in npm.ALL:
        if not locked.are_installed:
            _have("Packages of npm", {name: name for name in npm.PROGRAMS if not program(name)})
            locked.install()
    return f"{', '.join(name for locked in npm.ALL for name in locked.names)} installed"


def program(name: str) -> Path | None:
    """The path of a server's program, also where PATH lacks the folders of root."""
    found = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/local/sbin:/usr/sbin")
    return Path(found) if found else None


def _say(what: str, words: str) -> None:
    print(f"{what + ':':<20}{words}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
