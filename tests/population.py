"""A database full of people, made in bulk past the repositories: what tables look like after years.

Of a thousand accounts 900 are active, 850 verified, 700 have signed in, 300 have a phone, 200 an external
identity, and 20 a code under way; five are administrators, however many there are. Beside them stand 500
revoked tokens, 300 keys with counted attempts, 30 registrations and 50 flows that wait. A few of all that
expires has expired for longer than the grace of a sweep.
"""

from __future__ import annotations

import base64
import random
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime, timedelta
from operator import attrgetter
from typing import Any
from urllib.parse import urlsplit

import asyncpg
from pymongo import MongoClient
from uuid_utils import uuid7

from regstack.models.instant import instant, to_milliseconds
from regstack.models.mfa_code import MfaCode, MfaKind
from regstack.models.oauth_identity import OAuthIdentity
from regstack.models.oauth_state import OAuthState
from regstack.models.pending import PendingRegistration
from regstack.models.user import User
from regstack_mongo.oauth_identities import identity_key
from regstack_mongo.user_documents import document_of

ADMINISTRATORS = 5
EXPIRED = 5
"""Rows of each kind that the next sweep takes."""

CHUNK = 10_000
SAMPLE = 10_000
YEARS = timedelta(days=3 * 365)
_MILLISECOND = timedelta(milliseconds=1)
FIRST = (
    "Ada", "Aisha", "Anna", "Beatriz", "Chen", "Chloé", "David", "Elif", "Emma", "Fatima", "Giulia", "Grace",
    "Hannah", "Hiroshi", "Ines", "Ivan", "José", "Julia", "Karim", "Lars", "Liam", "Lucía", "Maria", "Mateo",
    "Mehmet", "Mia", "Nina", "Noah", "Olga", "Omar", "Priya", "Samuel", "Sara", "Sofia", "Søren", "Thomas",
    "Tomasz", "Valentina", "Wei", "Yuki", "Yusuf", "Zoë",
)  # fmt: skip
LAST = (
    "Ahmed", "Andersson", "Bakker", "Becker", "Bianchi", "Brown", "Costa", "Dubois", "Fernández", "García",
    "Haddad", "Hansen", "Hopper", "Ivanov", "Jansen", "Jones", "Kaya", "Khan", "Kim", "Kowalski", "Kumar",
    "Lopes", "Lovelace", "Martin", "Meier", "Moreau", "Müller", "Nguyen", "Novák", "Okafor", "Papadopoulos",
    "Patel", "Rossi", "Sato", "Schmidt", "Silva", "Singh", "Smith", "Suzuki", "Torres", "Wang", "Yılmaz",
)  # fmt: skip
DOMAINS = ("example.com", "mail.example", "post.example", "web.example", "firm.example")


@dataclass
class Chunk:
    """Rows of each kind, as many as go into the database at once.

    Attributes:
        revoked: `jti` and expiry.
        attempts: key, opening of the window, count and expiry.
    """

    users: list[User] = field(default_factory=list)
    identities: list[OAuthIdentity] = field(default_factory=list)
    codes: list[MfaCode] = field(default_factory=list)
    pending: list[PendingRegistration] = field(default_factory=list)
    states: list[OAuthState] = field(default_factory=list)
    revoked: list[tuple[str, datetime]] = field(default_factory=list)
    attempts: list[tuple[str, datetime, int, datetime]] = field(default_factory=list)


class Population:
    """So many people, the same each time.

    Args:
        number: of accounts.
        now: the newest account is this old.

    Attributes:
        number: as given.
        sample: some of the accounts that were made, evenly spread.
    """

    def __init__(self, number: int, now: datetime) -> None:
        self.number = number
        self.sample: list[User] = []
        self._now = instant(now)
        self._random = random.Random(number)
        self._milliseconds = to_milliseconds(self._now)

    def chunks(self) -> Iterator[Chunk]:
        """Make the rows, in the order of the accounts' ids."""
        for start in range(0, self.number, CHUNK):
            chunk = Chunk()
            for at in range(start, min(start + CHUNK, self.number)):
                self._add(chunk, at)
            yield chunk

    def _add(self, chunk: Chunk, at: int) -> None:
        user = self._user(at)
        chunk.users.append(user)
        if at % max(1, self.number // SAMPLE) == 0:
            self.sample.append(user)
        expires = self._now + (timedelta(days=-1) if at < EXPIRED else timedelta(minutes=1 + at % 15))
        share = at % 1000
        if at < EXPIRED or share % 2:
            chunk.revoked.append((self._text(16), expires))
        if at < EXPIRED or share < 300:
            chunk.attempts.append((self._hash(), self._now, 1 + at % 5, expires))
        if at < EXPIRED or 300 <= share < 500:
            chunk.identities.append(self._identity(user))
        if at < EXPIRED or 500 <= share < 520:
            chunk.codes.append(self._code(user, expires))
        if at < EXPIRED or 520 <= share < 550:
            chunk.pending.append(self._pending(at, expires))
        if at < EXPIRED or 550 <= share < 600:
            chunk.states.append(self._state(user, expires))

    def _user(self, at: int) -> User:
        age = YEARS // _MILLISECOND * (self.number - at) // self.number
        made = self._now - age * _MILLISECOND
        name, email = self._person(at)
        share = self._random.random()
        return User(
            id=self._id(age),
            email=email,
            email_key=email.casefold(),
            hashed_password=self._password_hash(),
            full_name=name,
            phone_number=f"+41{700000000 + at}" if share < 0.3 else None,
            is_active=at < ADMINISTRATORS or share > 0.1,
            is_verified=at < ADMINISTRATORS or share > 0.15,
            is_superuser=at < ADMINISTRATORS,
            is_mfa_enabled=share < 0.1,
            token_version=at % 3,
            created_at=made,
            updated_at=made,
            last_login=self._now if share < 0.7 else None,
            tokens_invalidated_after=made if at % 3 else None,
        )

    def _id(self, age: int = 0) -> str:
        """Make an id that is so many milliseconds old; `new_id` would ask a clock for each."""
        return str(uuid7(nanoseconds=(self._milliseconds - age) * 1_000_000))

    def _person(self, at: int) -> tuple[str, str]:
        number = self._random.getrandbits(48)
        number, first = divmod(number, len(FIRST))
        number, last = divmod(number, len(LAST))
        domain = DOMAINS[number % len(DOMAINS)]
        return f"{FIRST[first]} {LAST[last]}", f"{FIRST[first]}.{LAST[last]}{at}@{domain}"

    def _identity(self, user: User) -> OAuthIdentity:
        return OAuthIdentity(
            id=self._id(),
            user_id=user.id,
            provider="google",
            issuer="https://accounts.google.com",
            subject=str(self._random.getrandbits(69)),
            email=user.email,
            linked_at=user.created_at,
            last_used_at=user.last_login,
        )

    def _code(self, user: User, expires: datetime) -> MfaCode:
        return MfaCode(user.id, MfaKind.LOGIN, self._hash(), user.phone_number, 5, self._now, expires)

    def _pending(self, at: int, expires: datetime) -> PendingRegistration:
        name, email = self._person(self.number + at)
        return PendingRegistration(
            token_hash=self._hash(),
            user_id=self._id(),
            email=email,
            email_key=email.casefold(),
            hashed_password=self._password_hash(),
            full_name=name,
            created_at=self._now,
            expires_at=expires,
        )

    def _state(self, user: User, expires: datetime) -> OAuthState:
        return OAuthState(self._hash(), "google", self._hash(), "/", user.id, self._now, expires)

    def _hash(self) -> str:
        return self._random.randbytes(32).hex()

    def _text(self, size: int) -> str:
        return base64.urlsafe_b64encode(self._random.randbytes(size)).decode().rstrip("=")

    def _password_hash(self) -> str:
        text = self._text(49)
        return f"$argon2id$v=19$m=19456,t=2,p=1${text[:22]}${text[22:65]}"


def _columns(value_type: type[Any]) -> tuple[str, ...]:
    return tuple(each.name for each in fields(value_type))


def sql_rows(chunk: Chunk) -> Iterator[tuple[str, tuple[str, ...], list[tuple[Any, ...]]]]:
    """Give table, columns and rows of a chunk, parents first."""
    user = attrgetter(*_columns(User))
    yield (
        "users",
        (*_columns(User), "full_name_key"),
        [(*user(each), (each.full_name or "").casefold()) for each in chunk.users],
    )
    kinds: tuple[tuple[str, type[Any], Sequence[Any]], ...] = (
        ("oauth_identities", OAuthIdentity, chunk.identities),
        ("mfa_codes", MfaCode, chunk.codes),
        ("pending", PendingRegistration, chunk.pending),
        ("oauth_states", OAuthState, chunk.states),
    )
    for table, value_type, values in kinds:
        columns = _columns(value_type)
        yield table, columns, [attrgetter(*columns)(each) for each in values]
    yield "blacklist", ("jti", "expires_at"), [*chunk.revoked]
    yield "attempts", ("key", "window_start", "count", "expires_at"), [*chunk.attempts]


def fill_sqlite(path: str, population: Population) -> None:
    """Fill a file that has the schema."""
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA synchronous = OFF")
        for chunk in population.chunks():
            for table, columns, rows in sql_rows(chunk):
                places = ", ".join("?" * len(columns))
                connection.executemany(
                    f"INSERT INTO regstack_{table} ({', '.join(columns)}) VALUES ({places})",
                    [[_in_sqlite(value) for value in row] for row in rows],
                )
            connection.commit()
    connection.close()


def _in_sqlite(value: Any) -> Any:
    return to_milliseconds(value) if isinstance(value, datetime) else value


async def fill_postgres(url: str, population: Population) -> None:
    """Fill a database that has the schema, and let the planner know what is in it."""
    connection = await asyncpg.connect(url)
    for chunk in population.chunks():
        for table, columns, rows in sql_rows(chunk):
            await connection.copy_records_to_table(f"regstack_{table}", records=rows, columns=columns)
    await connection.execute("VACUUM ANALYZE")
    await connection.close()


def fill_mongo(url: str, population: Population) -> None:
    """Fill the database that the URL names, which has the schema."""
    with MongoClient[dict[str, Any]](url) as client:
        database = client[urlsplit(url).path[1:]]
        for chunk in population.chunks():
            for collection, documents in documents_of(chunk).items():
                if documents:
                    database[f"regstack_{collection}"].insert_many(documents, ordered=False)


def documents_of(chunk: Chunk) -> dict[str, list[dict[str, Any]]]:
    """Give the documents of a chunk, by collection."""
    users = {user.id: document_of(user) for user in chunk.users}
    for identity in chunk.identities:
        key = identity_key(identity.issuer, identity.subject)
        users[identity.user_id]["identities"] = [{**_embedded(identity), "key": key}]
    for code in chunk.codes:
        users[code.user_id]["codes"] = [_embedded(code)]
    return {
        "users": [*users.values()],
        "pending": [_renamed(pending, "email_key") for pending in chunk.pending],
        "oauth_states": [_renamed(state, "state_hash") for state in chunk.states],
        "blacklist": [{"_id": jti, "expires_at": expires} for jti, expires in chunk.revoked],
        "attempts": [
            {"_id": key, "window_start": start, "count": count, "expires_at": expires}
            for key, start, count, expires in chunk.attempts
        ],
    }


def _document(value: Any) -> dict[str, Any]:
    return {name: getattr(value, name) for name in _columns(type(value))}


def _embedded(value: Any) -> dict[str, Any]:
    return {name: each for name, each in _document(value).items() if name != "user_id"}


def _renamed(value: Any, key: str) -> dict[str, Any]:
    document = _document(value)
    if document.get("result_hash", "") is None:  # its index is sparse
        del document["result_hash"]
    return {"_id": document.pop(key), **document}
