"""pyftpdlib over TLS, whose every command can be overridden."""

from dataclasses import replace
from pathlib import Path

from OpenSSL import SSL
from pyftpdlib.handlers import FTPHandler, TLS_FTPHandler

from deploy.local.customers import PyFtpServer
from deploy.local.customers.facts import LOOPBACK
from tests.servers.certificates import Authority

_DEMANDS = SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT


class PyFtpdTls(PyFtpServer):
    """Explicit TLS, for commands and files alike. `folder`: an empty folder for its files.

    `handler`: as of PyFtpServer. `clients`: the authority that it trusts for clients, of which it
    demands a certificate then.
    """

    def __init__(
        self,
        folder: Path,
        *,
        handler: type[FTPHandler] = FTPHandler,
        clients: Authority | None = None,
    ) -> None:
        root = folder / "root"
        root.mkdir(parents=True)
        authority = Authority(folder / "authority")
        context = _context(authority, clients)
        required = {"tls_control_required": True, "tls_data_required": True}
        bases = (TLS_FTPHandler,) if handler is FTPHandler else (handler, TLS_FTPHandler)
        over_tls = type("OverTls", bases, {"ssl_context": context, **required})
        super().__init__(root, handler=over_tls)
        self.customer = replace(self.customer, tls="ftps", authority=authority.file.read_text())


def _context(authority: Authority, clients: Authority | None) -> SSL.Context:
    pair = authority.issue(LOOPBACK)
    context = SSL.Context(SSL.TLS_SERVER_METHOD)
    context.use_certificate_chain_file(str(pair.cert))
    context.use_privatekey_file(str(pair.key))
    if clients is not None:
        context.load_verify_locations(str(clients.file))
        context.set_verify(_DEMANDS)
        context.set_session_id(b"courier")  # without it OpenSSL resumes no session of a client's
    return context
