"""Text that a database, a driver or a query language may take for something else."""

from __future__ import annotations

from hypothesis import strategies as st

from regstack.models.email_address import EmailAddress

_TEXTS = (
    "",
    " ",
    "Ada Lovelace",
    "ada lovelace",
    "ADA",
    "%",
    "a_a",
    "a%",
    ".*",
    "^a",
    "a\\",
    "$ne",
    "$where",
    "a.b.$",
    '{"$gt": ""}',
    "[a-z]",
    "'; --",
    "Straße",
    "STRASSE",
    "é",
    "e\u0301",
    "e",
    "İ",
    "i\u0307",
    "ı",
    "Ａｄａ",
    "ﬁ",
    "𝒶da",
    "ada\U0010ffff",
    "👩\u200d👩\u200d👧",
    "مرحبا",
    "\u202eadA",
    "a\u200bda",
    "\r\n\t",
    "Ω",
    "\u2126",
)

TEXTS = st.one_of(
    st.sampled_from(_TEXTS),
    st.sampled_from(_TEXTS),
    st.text(alphabet="aAeßİ\u0301%_$.*\\'\"𝒶👩 \U0010ffff", max_size=5),
)
"""Names, subjects, search texts."""

OPTIONAL_TEXTS = st.one_of(st.none(), TEXTS)

EMAILS = (
    EmailAddress("Ada@Example.com", "ada@example.com"),
    EmailAddress("ADA@example.COM", "ada@example.com"),
    EmailAddress("𝒶da@example.com", "ada@example.com"),
    EmailAddress("Straße@Example.com", "strasse@example.com"),
    EmailAddress("strasse@example.com", "strasse@example.com"),
    EmailAddress("e\u0301@example.com", "é@example.com"),
    EmailAddress("é@example.com", "é@example.com"),
    EmailAddress("e@example.com", "e@example.com"),
    EmailAddress("İ@example.com", "i\u0307@example.com"),
    EmailAddress("ı@example.com", "ı@example.com"),
    EmailAddress("i@example.com", "i@example.com"),
    EmailAddress("a_a@example.com", "a_a@example.com"),
    EmailAddress("a%@example.com", "a%@example.com"),
    EmailAddress("$ne@example.com", "$ne@example.com"),
    EmailAddress("👩@bücher.example", "👩@xn--bcher-kva.example"),
)
"""Several spellings of one key, and keys that only a careless comparison takes for one."""

ADDRESSES = st.sampled_from(EMAILS)

ATTEMPT_KEYS = ("$inc", "a.b", "login:*", "LOGIN:*", "k" * 128, "é", "e\u0301")
"""Keys of counted attempts beside the hashes that core makes."""

PROVIDERS = st.sampled_from(["google", "Google", "$oidc.acme"])

ISSUERS = st.sampled_from(["https://accounts.google.com", "https://accounts.google.com/", "$acme"])
