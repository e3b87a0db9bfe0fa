"""The customers' servers of the tests that need root: OpenSSH and vsftpd, as Debian ships them.

The others, which run in the test's own process, are in `deploy.local.customers`; those of them
that misbehave as a test tells them are in `tests.servers.misbehaving`.
"""

from tests.servers.openssh import Sshd
from tests.servers.vsftpd import Vsftpd

__all__ = ["Sshd", "Vsftpd"]
