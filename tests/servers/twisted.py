"""The FTP server of Twisted, on Debian's Python."""

from collections.abc import Mapping, Sequence

from tests.servers.process import ProcessServer

_SCRIPT = """
import os
from twisted.cred.checkers import InMemoryUsernamePasswordDatabaseDontUse
from twisted.cred.portal import Portal
from twisted.internet import reactor
from twisted.protocols.ftp import FTP, FTPFactory, FTPRealm

class Loopback(FTP):
    def listenFactory(self, port, factory, interface=""):  # newer ones name an interface
        return reactor.listenTCP(port, factory, interface="127.0.0.1")

known = InMemoryUsernamePasswordDatabaseDontUse()
known.addUser(os.environ["SERVER_USER"], os.environ["SERVER_PASSWORD"])
factory = FTPFactory(Portal(FTPRealm("/nonexistent", os.environ["SERVER_HOMES"]), [known]))
factory.protocol = Loopback
reactor.listenTCP(int(os.environ["SERVER_PORT"]), factory, interface="127.0.0.1")
reactor.run()
"""


class TwistedFtp(ProcessServer):
    """Twisted's own example of an FTP server, as `twistd ftp` runs it."""

    @property
    def _argv(self) -> Sequence[str]:
        return ["/usr/bin/python3", "-c", _SCRIPT]

    @property
    def _env(self) -> Mapping[str, str]:
        return {
            "SERVER_USER": self.customer.username,
            "SERVER_PASSWORD": self.customer.password,
            "SERVER_PORT": str(self.customer.port),
            "SERVER_HOMES": str(self.folder),
        }
