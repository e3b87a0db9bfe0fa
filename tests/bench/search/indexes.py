"""The indexes of the rows, all built in one walk over them."""

from pymongo.database import Database

from consumers.ledger import Document, Ledger

_SCRATCH = "scratch"
_BUILD_MEGABYTES = 4_000


def build(database: Database[Document]) -> None:
    """Those that the ledger wants, read off an empty one that it has made; then all others."""
    client = database.client
    client.admin.command("setParameter", 1, maxIndexBuildMemoryUsageMegabytes=_BUILD_MEGABYTES)
    scratch = client[_SCRATCH]
    Ledger(scratch).ensure_indexes()
    wanted = [dict(each) for each in scratch["deliveries"].list_indexes() if each["name"] != "_id_"]
    client.drop_database(_SCRATCH)
    database.command("createIndexes", "deliveries", indexes=wanted)
    ledger = Ledger(database)
    ledger.ensure_indexes()
    ledger.search_indexes.ensure()
