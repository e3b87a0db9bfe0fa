"""What a console keeps of the people who use it."""

from dataclasses import dataclass
from typing import Any

from pymongo.database import Database

from config.audit import Audit
from config.directory import Directory
from config.signins import SignIns
from config.tokens import Tokens
from config.users import Users


@dataclass
class Desk:
    """What a console keeps of the people who use it."""

    database: Database[dict[str, Any]]
    directory: Directory
    users: Users
    tokens: Tokens
    audit: Audit
    signins: SignIns
