"""Text as storage keeps it: exactly as written, or refused."""

from __future__ import annotations

import unicodedata

from regstack.errors import InvalidText

_LAST_CHARACTER = "\U0010ffff"
_LONGEST_KEY = 1000


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


def end_of_prefix(prefix: str) -> str:
    """Give the first text, in the order of code points, after all that begin with the prefix.

    So a search by prefix is the range `prefix <= key < end_of_prefix(prefix)`, on any server that
    compares text by code points or by its UTF-8 bytes.
    """
    stem = prefix.rstrip(_LAST_CHARACTER)
    if not stem:
        return _LAST_CHARACTER * _LONGEST_KEY
    following = ord(stem[-1]) + 1
    # Text holds no surrogates, so none can follow.
    return stem[:-1] + chr(0xE000 if following == 0xD800 else following)
