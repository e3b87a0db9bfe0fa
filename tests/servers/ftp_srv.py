"""npm's ftp-srv, which applications bring along."""

from collections.abc import Mapping, Sequence

from deploy.local import npm
from tests.servers.process import ProcessServer

_PASSIVE_PORTS = 100
_SCRIPT = """
const {FtpSrv} = require("ftp-srv");
const env = process.env;
const server = new FtpSrv({
  url: `ftp://127.0.0.1:${env.SERVER_PORT}`,
  pasv_url: "127.0.0.1",
  pasv_min: Number(env.SERVER_PASSIVE),
  pasv_max: Number(env.SERVER_PASSIVE_END),
});
server.on("login", ({username, password}, resolve, reject) => {
  const known = username === env.SERVER_USER && password === env.SERVER_PASSWORD;
  known ? resolve({root: env.SERVER_ROOT}) : reject(new Error("Login incorrect"));
});
server.listen();
"""


class FtpSrv(ProcessServer):
    """As its README starts it."""

    passive_ports = _PASSIVE_PORTS

    @property
    def _argv(self) -> Sequence[str]:
        return ["node", "-e", _SCRIPT]

    @property
    def _env(self) -> Mapping[str, str]:
        return {
            "NODE_PATH": str(npm.MODULES),
            "SERVER_USER": self.customer.username,
            "SERVER_PASSWORD": self.customer.password,
            "SERVER_PORT": str(self.customer.port),
            "SERVER_ROOT": str(self.customer.root),
            "SERVER_PASSIVE": str(self._passive[0]),
            "SERVER_PASSIVE_END": str(self._passive[-1]),
        }
