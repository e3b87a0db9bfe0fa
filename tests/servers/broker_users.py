"""Users of the broker that may not do everything."""

import secrets
from dataclasses import dataclass
from urllib.parse import quote, unquote, urlsplit

from deploy.local.rabbitmq import RabbitMQ

EVERYTHING = ".*"
NOTHING = "^$"

_ADD = """
case rabbit_auth_backend_internal:exists(<<"{name}">>) of
  true -> ok;
  false -> rabbit_auth_backend_internal:add_user(<<"{name}">>, <<"{password}">>, <<"tests">>)
end,
rabbit_auth_backend_internal:set_permissions(
  <<"{name}">>, <<"{vhost}">>, <<"{configure}">>, <<"{write}">>, <<"{read}">>, <<"tests">>).
"""


@dataclass(frozen=True)
class LimitedUser:
    """A user of one virtual host; its rights are patterns of names (RabbitMQ, access control)."""

    rabbitmq: RabbitMQ
    amqp_url: str
    """The virtual host's, of somebody who may do everything."""
    name: str
    password: str

    @classmethod
    def at(cls, rabbitmq: RabbitMQ, amqp_url: str) -> "LimitedUser":
        """One that may do nothing yet."""
        return cls(rabbitmq, amqp_url, f"limited-{secrets.token_hex(4)}", secrets.token_hex(8))

    @property
    def url(self) -> str:
        """`COURIER_AMQP_URL` of this user."""
        parts = urlsplit(self.amqp_url)
        login = f"{quote(self.name)}:{quote(self.password)}"
        return parts._replace(netloc=f"{login}@{parts.netloc.rpartition('@')[2]}").geturl()

    def may(
        self, *, configure: str = EVERYTHING, write: str = EVERYTHING, read: str = EVERYTHING
    ) -> None:
        """Give it these rights and no others."""
        vhost = unquote(urlsplit(self.amqp_url).path[1:])
        patterns = {"configure": configure, "write": write, "read": read}
        escaped = {name: pattern.replace("\\", "\\\\") for name, pattern in patterns.items()}
        self.rabbitmq.evaluate(
            _ADD.format(name=self.name, password=self.password, vhost=vhost, **escaped)
        )
