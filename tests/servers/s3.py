"""Stores that speak S3: rclone's, which serves a folder, and SeaweedFS, which has users and rights.

Both come as programs in packages of Python. What a test needs in them is put there by botocore.
"""

import contextlib
import json
import secrets
import sys
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from botocore.session import Session
from pydantic import SecretStr

from config.stores import Bucket, S3Settings
from deploy.local.customers.facts import LOOPBACK
from deploy.local.processes import Child, ServiceError, free_port, wait_until
from tests.servers.child import ChildServer

BUCKET = "recordings"
_SECONDS = 120.0


@dataclass(frozen=True)
class Keys:
    """Who somebody is to a store."""

    access_key_id: str = field(default_factory=lambda: secrets.token_hex(10))
    secret_access_key: str = field(default_factory=lambda: secrets.token_urlsafe(30))


class S3Server(ChildServer):
    """A store with one bucket and one user, who may do anything."""

    def __init__(self, folder: Path) -> None:
        """`folder`: an empty folder of its own."""
        self.folder = folder
        self.keys = Keys()
        self._port = free_port()
        folder.mkdir(parents=True, exist_ok=True)

    @property
    def port(self) -> int:
        """Where it listens."""
        return self._port

    @property
    def endpoint(self) -> str:
        """The URL of the service."""
        return f"http://{LOOPBACK}:{self._port}"

    def settings(self, keys: Keys | None = None, **changes: Any) -> S3Settings:
        """As an operator sets them; what is named differs."""
        mine = keys or self.keys
        return S3Settings(
            (Bucket(BUCKET),),
            self.endpoint,
            "us-east-1",
            mine.access_key_id,
            SecretStr(mine.secret_access_key),
        )._replace(**changes)

    def put(self, key: str, content: bytes, bucket: str = BUCKET) -> str:
        """Store an object; its URL."""
        self._client().put_object(Bucket=bucket, Key=key, Body=content)
        return f"s3://{bucket}/{key}"

    def start(self) -> None:
        """Start it, and wait until it has its bucket and takes objects."""
        super().start()
        try:
            wait_until(self._takes_objects, _SECONDS, f"{type(self).__name__} takes no requests.")
        except ServiceError:
            self.stop()
            raise

    def _takes_objects(self) -> bool:
        with contextlib.suppress(BotoCoreError, ClientError):  # it may be there already
            self._client().create_bucket(Bucket=BUCKET)
        try:
            self.put("courier-test", b"x")
        except (BotoCoreError, ClientError):
            return False
        return True

    def _client(self) -> Any:
        return Session().create_client(
            "s3",
            endpoint_url=self.endpoint,
            region_name="us-east-1",
            aws_access_key_id=self.keys.access_key_id,
            aws_secret_access_key=self.keys.secret_access_key,
            config=Config(s3={"addressing_style": "path"}, retries={"total_max_attempts": 1}),
        )

    def _new_child(self) -> Child:
        return Child(type(self).__name__, self._argv, self.folder / "server.log", self._env)

    @property
    @abstractmethod
    def _argv(self) -> Sequence[str]:
        """The server in the foreground."""

    @property
    def _env(self) -> Mapping[str, str]:
        return {}


class RcloneS3(S3Server):
    """`rclone serve s3`: each folder is a bucket, and each file in it an object."""

    def put(self, key: str, content: bytes, bucket: str = BUCKET) -> str:
        """Store an object; its URL."""
        path = self.folder / "buckets" / bucket / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return f"s3://{bucket}/{key}"

    @property
    def _argv(self) -> Sequence[str]:
        (self.folder / "buckets" / BUCKET).mkdir(parents=True, exist_ok=True)
        return [
            *(str(Path(sys.executable).with_name("rclone")), "serve", "s3"),
            *("--addr", f"{LOOPBACK}:{self._port}", "--config", str(self.folder / "rclone.conf")),
            *("--dir-cache-time", "1ms", "--cache-dir", str(self.folder / "cache")),
            str(self.folder / "buckets"),
        ]

    @property
    def _env(self) -> Mapping[str, str]:
        keys = f"{self.keys.access_key_id},{self.keys.secret_access_key}"
        return {"RCLONE_AUTH_KEY": f'"{keys}"'}


class SeaweedFS(S3Server):
    """`weed server -s3`. `stranger` may read nothing, `reader` may read and not list."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.stranger, self.reader = Keys(), Keys()

    @property
    def _argv(self) -> Sequence[str]:
        data, config = self.folder / "data", self.folder / "s3.json"
        data.mkdir(exist_ok=True)
        config.write_text(json.dumps({"identities": self._identities()}))
        return [
            *(str(Path(sys.executable).with_name("weed")), "server", f"-dir={data}"),
            *(f"-ip={LOOPBACK}", f"-ip.bind={LOOPBACK}", "-volume.max=20", "-filer", "-s3"),
            *("-master.volumeSizeLimitMB=64", f"-s3.port={self._port}", f"-s3.config={config}"),
            # Two servers beside S3's would want fixed ports, which another SeaweedFS may have.
            *("-s3.port.iceberg=0", "-s3.port.lance=0", "-master.telemetry=false"),
            # Without its own number each has a port 10,000 above for gRPC, where there may be none.
            *(f"-{name}.port={free_port()}" for name in ("master", "volume", "filer")),
            *(f"-{name}.port.grpc={free_port()}" for name in ("master", "volume", "filer", "s3")),
        ]

    def _identities(self) -> list[dict[str, Any]]:
        rights = {
            "owner": (self.keys, ["Admin"]),
            "reader": (self.reader, [f"Read:{BUCKET}"]),
            "stranger": (self.stranger, ["Read:another"]),
        }
        return [
            {
                "name": name,
                "credentials": [
                    {"accessKey": keys.access_key_id, "secretKey": keys.secret_access_key}
                ],
                "actions": actions,
            }
            for name, (keys, actions) in rights.items()
        ]
