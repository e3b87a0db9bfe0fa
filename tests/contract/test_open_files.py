"""A server of ours that stops in the midst of an upload leaves none of its files open."""

import ftplib
from contextlib import closing
from pathlib import Path

import paramiko

from deploy.local.customers import PyFtpServer
from tests.integration.platform import until
from tests.servers.misbehaving import Mood, moody_server


def open_below(folder: Path) -> list[str]:
    """The files of the folder that this process has open."""
    held = [str(each.readlink()) for each in Path("/proc/self/fd").iterdir() if each.exists()]
    return [each for each in held if each.startswith(str(folder))]


def test_an_sftp_server_that_is_writing(tmp_path: Path) -> None:
    mood = Mood(seconds_a_write=60)
    with moody_server(tmp_path / "served", mood) as server:
        told = server.customer
        with closing(paramiko.Transport((told.host, told.port))) as transport:
            transport.connect(username=told.username, password=told.password)
            sftp = paramiko.SFTPClient.from_transport(transport)
            assert sftp is not None
            file = sftp.open("call.part", "wb")
            file.set_pipelined(True)
            file.write(b"x" * 100_000)
            until(lambda: open_below(tmp_path), "the file is open")
    assert open_below(tmp_path) == []


def test_an_ftp_server_whose_data_connections_never_came(tmp_path: Path) -> None:
    with PyFtpServer(tmp_path) as server, closing(ftplib.FTP()) as client:  # noqa: S321 - FTP it is
        told = server.customer
        client.connect(told.host, told.port, timeout=30)
        client.login(told.username, told.password)
        for name in ("one.part", "two.part"):
            client.makepasv()
            assert client.sendcmd(f"STOR {name}").startswith("150")
        assert len(open_below(tmp_path)) == 2
    assert open_below(tmp_path) == []
