"""Starts a program for each connection, as its standard input and output.

`python inetd.py HOST PORT PROGRAM ...`: GNU inetutils' ftpd could itself listen on port 21 only.
"""

import signal
import socket
import subprocess
import sys


def main() -> None:
    """Serve until it is ended."""
    host, port, *argv = sys.argv[1:]
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the kernel forgets those that have ended
    with socket.create_server((host, int(port))) as listener:
        while True:
            connection, _ = listener.accept()
            with connection:
                subprocess.Popen(argv, stdin=connection.fileno(), stdout=connection.fileno())


if __name__ == "__main__":
    main()
