"""How MongoDB is spoken to is the program's own, whatever the URL says."""

import pytest
from pydantic import SecretStr
from pymongo import ReadPreference

from config.tls import Endpoint
from worker import mongodb

WEAK = (
    "readPreference=secondary&w=0&journal=false&wTimeoutMS=1&readConcernLevel=local"
    "&retryWrites=false&retryReads=false&directConnection=true"
    "&timeoutMS=0&socketTimeoutMS=1&serverSelectionTimeoutMS=3600000&connectTimeoutMS=3600000"
    "&waitQueueTimeoutMS=1&heartbeatFrequencyMS=3600000&tz_aware=false"
)


@pytest.mark.parametrize("options", ["", WEAK])
def test_preference_concerns_and_limits_are_the_programs_own(options: str) -> None:
    url = SecretStr(f"mongodb://127.0.0.1:9/courier?{options}")
    with mongodb.connected(Endpoint(url)) as client:
        assert client.read_preference == ReadPreference.PRIMARY
        assert client.read_concern.level == "majority"
        assert client.write_concern.document == {"w": "majority", "j": True, "wtimeout": 0}
        assert client.codec_options.tz_aware
        assert client.options.timeout == 20
        assert client.options.server_selection_timeout == 10
        assert client.options.retry_writes
        assert client.options.retry_reads
        assert not client.options.direct_connection
        pool = client.options.pool_options
        assert (pool.connect_timeout, pool.socket_timeout) == (10, None)
        assert pool.wait_queue_timeout is None
        assert client.options.heartbeat_frequency == 10
        collection = client.get_default_database()["accounts"]
        assert collection.read_preference == ReadPreference.PRIMARY
        assert collection.write_concern == client.write_concern
