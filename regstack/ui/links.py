"""Links that were mailed: opening one shows a form and changes nothing.

Mail scanners open every link before a person does, so the token is used by the POST that follows.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from regstack.errors import InvalidOneTimeToken
from regstack.ui.forms import FormState
from regstack.ui.messages import sentence

if TYPE_CHECKING:
    from fastapi import Request

    from regstack.ui.forms import Form

_TOKEN = re.compile(r"[A-Za-z0-9_-]{1,256}")


def mailed_token(request: Request, form: Form[Any]) -> tuple[str | None, FormState | None]:
    """Give the token in a link; where it cannot be one, the state of the form that says so.

    Both are None where the address holds no token at all.
    """
    given = request.query_params.getlist("token")
    if not given:
        return None, None
    if len(given) == 1 and _TOKEN.fullmatch(given[0]):
        return given[0], None
    alert = sentence(str(InvalidOneTimeToken()))
    return None, FormState.refused(form, {}, problems={}, alert=alert)
