"""Applications to measure. Each module stands alone, since peers run in environments of their own.

A module has:

    ME, LOGIN    paths
    FORM         the login is a form, not JSON
    populate     makes accounts, as many as asked for, all with `PASSWORD`; gives them with their tokens
    build        makes the application

Both functions take the settings that the process was started with; `database_url` is among them.
"""

from __future__ import annotations

from typing import NamedTuple

PASSWORD = "correct horse battery"


class Person(NamedTuple):
    """An account.

    Attributes:
        name: what it signs in with.
        token: an access token that lives for the whole run; empty where the module gives none.
    """

    name: str
    token: str = ""
