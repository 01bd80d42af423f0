"""Text as storage keeps it: exactly as written, or refused."""

from __future__ import annotations

import unicodedata

from regstack.errors import InvalidText


def check_text(value: str) -> str:
    """Give the text back unchanged.

    Raises:
        InvalidText: it holds NUL or a lone surrogate, which databases refuse or change.
    """
    if "\0" in value:
        raise InvalidText
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:
        raise InvalidText from None
    return value


def search_key(value: str) -> str:
    """The form under which text is searched: compatibility forms and case folded away.

    Unicode's toNFKC_Casefold in all that matters for a search (Unicode Standard, section 3.13).
    """
    folded = unicodedata.normalize("NFKC", value).casefold()
    return unicodedata.normalize("NFKC", folded)
