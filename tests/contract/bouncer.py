"""A front of a customer's server that hangs up before the greeting, as sshd does with an address
that it has penalised."""

import socket
import threading

from deploy.local.customers import CustomerServer
from tests.contract.proxy import Proxy


class Bouncer(Proxy):
    """Stands in front of an SFTP server on `port`; while `shut` is set nobody comes in.

    Those that are in stay there.
    """

    def __init__(self, customer: CustomerServer) -> None:
        super().__init__(customer)
        self.shut = threading.Event()
        self.shunned = 0
        """Connections that were ended at once."""
        self.let_in = 0

    def _accept(self, listener: socket.socket, target: int) -> None:
        client, _ = listener.accept()
        if self.shut.is_set():
            self.shunned += 1
            client.close()
            return
        self.let_in += 1
        self._sockets.append(client)
        try:
            server = socket.create_connection((self._host, target), 5)
        except OSError:
            self._forget(client)
            return
        server.settimeout(None)
        self._sockets.append(server)
        self._start(lambda: self._carry(client, server))
