"""systemd itself as process 1 of a root made of this machine's programs, with one unit.

Needs root. It runs in namespaces and a control group of its own, which end with it; the network is
this machine's. What would change the kernel's own settings is masked, /proc/sys and /sys are
read-only.
"""

import secrets
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from tests.integration.platform import until
from tests.roots import CHECKOUT, MAKE_ROOT, PROGRAM, PYTHON, children, first_child

UNIT = CHECKOUT / "deploy" / "courier.service"
GROUP = 41_234
"""Of the recordings."""
_SECONDS = 120.0
_MASKED = (
    *("systemd-binfmt", "systemd-firstboot", "systemd-modules-load", "systemd-pcrphase"),
    *("systemd-pcrphase-sysinit", "systemd-random-seed", "systemd-repart", "systemd-sysctl"),
    *("systemd-tmpfiles-setup-dev", "systemd-update-utmp", "kmod-static-nodes"),
)
_BOOT = (
    MAKE_ROOT
    + """
cp -a "$1/." "$root/etc/"
mkdir -p "$root/etc/systemd/system" "$root/sys" "$root/var" "$root/opt" "$root/recordings"
for each in passwd group nsswitch.conf hosts resolv.conf localtime ssl ld.so.cache; do
    [ ! -e "/etc/$each" ] || cp -aL "/etc/$each" "$root/etc/"
done
echo "recordings:x:$4:" >>"$root/etc/group"
echo 00000000000000000000000000c0ffee >"$root/etc/machine-id"
cp "$3" "$root/etc/systemd/system/"
for each in $5; do ln -s /dev/null "$root/etc/systemd/system/$each.service"; done
mount --bind -o ro "$2" "$root/recordings"
mkdir -p "$root/opt/courier/bin"
printf '%s\\n' "$6" >"$root/opt/courier/bin/courier"
chmod 755 "$root/opt/courier/bin/courier"
mount --bind "$root/proc/sys" "$root/proc/sys"
mount -o remount,bind,ro "$root/proc/sys"
mount -t sysfs -o ro sysfs "$root/sys"
mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
mount -t tmpfs -o mode=755 tmpfs "$root/dev"
mkdir "$root/dev/shm" "$root/dev/pts"
mount -t tmpfs -o mode=1777 tmpfs "$root/dev/shm"
mount -t devpts -o newinstance,ptmxmode=0666 devpts "$root/dev/pts"
ln -s pts/ptmx "$root/dev/ptmx"
# Nodes of its own: what is done to them, by a getty for one, is not done to this machine's.
mknod -m 666 "$root/dev/null" c 1 3
mknod -m 666 "$root/dev/zero" c 1 5
mknod -m 666 "$root/dev/full" c 1 7
mknod -m 666 "$root/dev/random" c 1 8
mknod -m 666 "$root/dev/urandom" c 1 9
mknod -m 666 "$root/dev/tty" c 5 0
mknod -m 600 "$root/dev/console" c 1 3
cd "$root"
mkdir old
pivot_root . old
umount -l /old
# As at boot: systemd mounts a service's credentials from a namespace that hands them on.
mount --make-rshared /
exec env -i container=courier PATH=/usr/sbin:/usr/bin:/sbin:/bin /lib/systemd/systemd \\
    --unit=basic.target --log-target=journal
"""
)
_WRAPPER = "\n".join(
    (
        "#!/bin/sh",
        *(f"export {name}={value}" for name, value in PYTHON.items()),
        f'exec {" ".join(PROGRAM)} "$@"',
    )
)
"""`/opt/courier/bin/courier`, as pip would install it."""
_IN_GROUP = 'echo $$ >"$0/cgroup.procs"; exec unshare --cgroup "$@"'


@dataclass(frozen=True)
class Systemd:
    """One that runs."""

    process: subprocess.Popen[bytes]

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """A command beside it, as root of that machine would give it."""
        inside = ["nsenter", "--target", str(first_child(self.process)), "--mount", "--pid"]
        return subprocess.run(
            [*inside, "--cgroup", "--uts", "--ipc", "--root", "--wd", *command],
            capture_output=True,
            text=True,
            check=False,
            timeout=_SECONDS,
        )

    def ok(self, *command: str) -> str:
        """The same, for what must work: what it prints."""
        done = self.run(*command)
        assert done.returncode == 0, (done.stdout, done.stderr, self.log())
        return done.stdout

    def is_up(self) -> bool:
        """Whether it has come as far as its basic target."""
        assert self.process.poll() is None, "it has ended: its boot.log says why"
        asked = ("systemctl", "is-active", "basic.target")
        return bool(children(self.process)) and self.run(*asked).returncode == 0

    def log(self) -> str:
        """What courier has said, and systemd of it."""
        return self.run("journalctl", "--unit=courier", "--output=cat", "--no-pager").stdout

    def property(self, name: str) -> str:
        """What systemd knows of the unit."""
        return self.ok("systemctl", "show", "--property", name, "--value", "courier").strip()


@contextmanager
def booted(folder: Path, etc: Mapping[str, str], recordings: Path) -> Iterator[Systemd]:
    """systemd with courier's unit, these files in its /etc/courier, not started yet."""
    root, files = folder / "root", folder / "etc"
    root.mkdir()
    (files / "courier").mkdir(parents=True)
    for name, text in etc.items():
        (files / "courier" / name).touch(0o600)
        (files / "courier" / name).write_text(text)
    given = (root, CHECKOUT, sys.base_prefix, files, recordings, UNIT, GROUP, " ".join(_MASKED))
    with (
        _control_group() as group,
        (folder / "boot.log").open("wb") as log,
        subprocess.Popen(
            [
                *("sh", "-c", _IN_GROUP, str(group), "--mount", "--pid", "--uts", "--ipc"),
                *("--fork", "--kill-child", "bash", "-c", _BOOT, "boot", *map(str, given)),
                _WRAPPER,
            ],
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        ) as process,
    ):
        try:
            yield Systemd(process)
        finally:
            process.kill()  # and the kernel ends what runs in its namespace


@contextmanager
def _control_group() -> Iterator[Path]:
    """One of its own, so that systemd's are in it."""
    mounts = [line.split() for line in Path("/proc/mounts").read_text().splitlines()]
    top = next(Path(to) for _, to, kind, *_ in mounts if kind == "cgroup2")
    group = top / f"courier-{secrets.token_hex(6)}"
    group.mkdir()
    try:
        yield group
    finally:
        until(lambda: _is_removed(group), f"the last process of {group} to be gone")


def _is_removed(group: Path) -> bool:
    """A group that has a process still cannot be."""
    for each in sorted([group, *group.rglob("*/")], reverse=True):
        with suppress(OSError):
            each.rmdir()
    return not group.exists()
