"""What a browser posts from a form."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

from fastapi import HTTPException

from regstack.errors import InvalidText
from regstack.models.text import check_text

if TYPE_CHECKING:
    from starlette.requests import Request

MAX_FIELDS = 20


async def read_entries(request: Request) -> dict[str, str]:
    """Read the fields that a browser posted (WHATWG URL, section 5.1).

    The route bounds the bytes; the fields are bounded here.

    Raises:
        HTTPException: 415 for another type of body; 400 for one that is not UTF-8, has too many
            fields, or the same one twice.
    """
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/x-www-form-urlencoded":
        raise HTTPException(415, "this address takes what a form sends, and nothing else")
    try:
        pairs = parse_qsl(
            (await request.body()).decode(),
            keep_blank_values=True,
            errors="strict",
            max_num_fields=MAX_FIELDS,
        )
        entries = {name: check_text(value) for name, value in pairs}
    except (ValueError, InvalidText):
        raise HTTPException(400, "this form could not be read") from None
    if len(entries) != len(pairs):
        raise HTTPException(400, "this form could not be read")
    return entries
