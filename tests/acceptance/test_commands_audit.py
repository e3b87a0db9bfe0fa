"""`courier audit`: who changed what, at a shell."""

import json

from config.audit import Action, Audit
from deploy.local.customers import PyFtpServer
from tests.acceptance.program import Program
from tests.acceptance.stage import Stage


def test_changes_are_told_in_sentences_and_found_by_who_and_what(
    courier: Program, stage: Stage, pyftpd_server: PyFtpServer
) -> None:
    server = pyftpd_server.customer
    stage.account(server)
    courier.ok("accounts", "suspend", "acme")
    before = {"host": "ftp.old", "port": 21}
    after = {"host": "ftp.new\x1b[2J", "port": 2121, "password": server.password}
    Audit(stage.core.database).record(
        "anna@acme.example", Action.SETTINGS_SAVED, "acme", before, after
    )

    lines = courier.ok("audit", "--account", "acme").out.splitlines()
    assert lines[0].endswith("Z  anna@acme.example changed 3 FTP settings of acme")
    assert [each.strip() for each in lines[1:4]] == [
        "Host: from ftp.old to ftp.new\ufffd[2J",
        "Password: set anew",
        "Port: from 21 to 2121",
    ]
    assert lines[4].endswith("at the command line paused acme")
    assert server.password not in "".join(lines)

    by_anna = json.loads(courier.ok("audit", "--who", "anna", "--json").out)
    assert [each["action"] for each in by_anna] == ["settings.saved"]
    assert by_anna[0]["sentence"] == "anna@acme.example changed 3 FTP settings of acme"
    assert courier.ok("audit", "--what", "numbers").out == ""
    assert courier("audit", "--account", "nobody").code == 1
    wrong = courier("audit", "--what", "everythin")
    assert (wrong.code, "is none of accounts, settings" in wrong.err) == (2, True)
