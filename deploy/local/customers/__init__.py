"""Customers' servers in this process: an SFTP server, an FTP server and a mail server.

For the demonstration and for tests. They listen on loopback only, can be stopped and started
on the same port, and leave no socket and no thread behind.
"""

from deploy.local.customers.facts import CustomerServer
from deploy.local.customers.ftp import PyFtpServer
from deploy.local.customers.mail import Mail, SmtpSink
from deploy.local.customers.sftp import EXPIRED_PASSWORD, PASSWORD, AsyncSshServer, Challenge

__all__ = [
    "EXPIRED_PASSWORD",
    "PASSWORD",
    "AsyncSshServer",
    "Challenge",
    "CustomerServer",
    "Mail",
    "PyFtpServer",
    "SmtpSink",
]
