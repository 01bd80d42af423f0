"""docs/audit.md lists the acts that are recorded."""

from __future__ import annotations

import re

from regstack.services.audit import ACTIONS


def test_every_action_is_on_the_page_as_the_code_describes_it(pages: dict[str, str]) -> None:
    table = pages["docs/audit.md"].partition("## Actions")[2]
    rows = re.findall(r"^\| `(\w+)` \| (.+) \|$", table, re.MULTILINE)
    assert rows == sorted(ACTIONS.items())
