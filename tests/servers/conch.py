"""Twisted's SFTP server, on Debian's Python."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.servers.host_keys import fingerprint, make_host_key
from tests.servers.process import ProcessServer

_SCRIPT = """
import os
from twisted.conch.avatar import ConchUser
from twisted.conch.interfaces import ISFTPServer
from twisted.conch.ssh import factory, filetransfer, keys, session
from twisted.conch.unix import SFTPServerForUnixConchUser
from twisted.cred.checkers import InMemoryUsernamePasswordDatabaseDontUse
from twisted.cred.portal import Portal
from twisted.internet import reactor
from twisted.python import components
from twisted.python.filepath import FilePath

class User(ConchUser):
    def __init__(self):
        super().__init__()
        self.channelLookup[b"session"] = session.SSHSession
        self.subsystemLookup[b"sftp"] = filetransfer.FileTransferServer

    def getUserGroupId(self):
        return os.getuid(), os.getgid()

    def getHomeDir(self):
        return FilePath(os.environ["SERVER_ROOT"])

    def _runAsUser(self, steps, *args, **kwargs):
        if callable(steps):
            steps = [(steps, args, kwargs)]
        for step in steps:
            act, args, kwargs = (*step, *[(), {}][len(step) - 1 :])
            told = act(*args, **kwargs)
        return told

    def logout(self):
        pass

components.registerAdapter(SFTPServerForUnixConchUser, User, ISFTPServer)

class Realm:
    def requestAvatar(self, name, mind, *interfaces):
        user = User()
        return interfaces[0], user, user.logout

known = InMemoryUsernamePasswordDatabaseDontUse()
known.addUser(os.environ["SERVER_USER"].encode(), os.environ["SERVER_PASSWORD"].encode())

class Factory(factory.SSHFactory):
    portal = Portal(Realm(), [known])
    key = keys.Key.fromFile(os.environ["SERVER_KEY"])
    privateKeys = {key.sshType(): key}
    publicKeys = {key.sshType(): key.public()}

    def getPrimes(self):
        return None

reactor.listenTCP(int(os.environ["SERVER_PORT"]), Factory(), interface="127.0.0.1")
reactor.run()
"""


class Conch(ProcessServer):
    """Its files are those of the user that runs it, below one folder."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True)
        self._key = folder / "host_key"
        make_host_key(self._key)
        super().__init__(folder, fingerprint(self._key))

    @property
    def _argv(self) -> Sequence[str]:
        return ["/usr/bin/python3", "-c", _SCRIPT]

    @property
    def _env(self) -> Mapping[str, str]:
        return {
            "SERVER_USER": self.customer.username,
            "SERVER_PASSWORD": self.customer.password,
            "SERVER_PORT": str(self.customer.port),
            "SERVER_ROOT": str(self.customer.root),
            "SERVER_KEY": str(self._key),
        }
