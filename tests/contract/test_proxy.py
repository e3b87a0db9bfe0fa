"""The proxy that loses replies: only those that it was asked for."""

import socket
import threading
from pathlib import Path

from deploy.local.customers import CustomerServer
from tests.contract.proxy import Proxy

GREETING = b"220 Port (|||21347|)\r\n213 11\r\n"


def test_the_digits_of_a_port_are_no_reply(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=_greet, args=[listener])
        thread.start()
        customer = CustomerServer("127.0.0.1", listener.getsockname()[1], "", "", tmp_path)
        with (
            Proxy(customer, instead=(b"213", b"550 Gone\r\n")) as proxy,
            socket.create_connection(("127.0.0.1", proxy.port), 10) as client,
        ):
            heard = b"".join(iter(lambda: client.recv(100), b""))
        thread.join(10)
    assert heard == b"220 Port (|||21347|)\r\n550 Gone\r\n"


def _greet(listener: socket.socket) -> None:
    listener.settimeout(10)
    connection, _ = listener.accept()
    with connection:
        connection.sendall(GREETING)
