"""What a server has too little of for another session of ours, besides connections."""

from transports.errors import ServerBusy


class DataConnectionRefused(ServerBusy):
    advice = (
        "The server opens too few data connections at once: let it have more passive ports, and "
        "its firewall let them in. Fewer files are sent at once from now on."
    )


class FileRefusedBesideOthers(ServerBusy):
    advice = "The server refuses a file while others are open: fewer are sent at once from now on."
