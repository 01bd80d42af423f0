"""Who calls, and what they know that no schema tells: passwords, tokens that were mailed to them."""

from __future__ import annotations

import itertools
import random
import re
import zlib
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import httpx2
from schemathesis import AuthContext, Case, HookContext
from schemathesis.generation.meta import TestPhase

from regstack.errors import Conflict, RegStackError
from regstack.models.ids import new_id
from regstack.models.oauth_identity import OAuthIdentity
from regstack.models.user import User
from tests.served import Served
from tests.social import person as external
from tests.social import query_of

PASSWORD = "correct horse battery"
PHONE = "+41446681800"
USUALLY = 0.8


@dataclass(frozen=True)
class Person:
    """Somebody who is signed in."""

    user: User
    token: str


class People:
    """Signs generated calls in, each with an account of its own, and fills in what a caller would know.

    Args:
        served: the application that is called.
        seed: the same one makes the same choices.
    """

    def __init__(self, served: Served, seed: int) -> None:
        self._served = served
        self._rs = served.rs
        self._seed = seed
        self._numbers = itertools.count(1)
        self._hashed: str | None = None
        self.forget()
        # What to put into a field, by its name; a field with another name keeps what was generated.
        self._known: dict[str, Callable[[Person, Case[Any]], Awaitable[Any]]] = {
            "email": self._address,
            "new_email": self._other_address,
            "password": self._password,
            "current_password": self._password,
            "token": self._mailed_token,
            "user_id": self._id,
            "phone_number": self._phone_number,
            "pending_token": self._pending_token,
            "mfa_pending_token": self._pending_token,
            "code": self._code,
            "provider": self._provider,
            "id": self._exchange_id,
        }
        # How a token gets into a mail, by the operation that takes it.
        self._mails: dict[str, Callable[[Person], Awaitable[str]]] = {
            "verify": self._register,
            "reset_password": self._forget_the_password,
            "confirm_email_change": self._ask_for_another_address,
        }

    def forget(self) -> None:
        """Begin anew, so that the same calls lead to the same answers."""
        self._recent: deque[Person] = deque(maxlen=4)
        self._callers: dict[str, Person] = {}
        self._dice: dict[str, random.Random] = {}
        # What a code belongs to, until the field beside it was asked for.
        self._begun: dict[tuple[str, str], tuple[str, str]] = {}

    def get(self, case: Case[Any], _: AuthContext) -> Person | None:
        """Give who makes a call, where somebody must be signed in."""
        if "security" not in case.operation.definition.raw:
            return None
        return self._served.run(self._caller(case))

    def set(self, case: Case[Any], person: Person, _: AuthContext) -> None:
        """Sign a call in."""
        case.headers["Authorization"] = f"Bearer {person.token}"

    def fill_in(self, _: HookContext, case: Case[Any]) -> Case[Any]:
        """Replace made-up values by true ones, mostly, in calls that are meant to be valid."""
        self._dice_of(case)
        if case.meta is None or case.meta.generation.mode.is_positive:
            # In a sequence the path comes from an answer to an earlier call.
            parts = (case.body,) if in_sequence(case) else (case.path_parameters, case.body)
            for part in parts:
                for name in list(part) if isinstance(part, dict) else ():
                    if name in self._known and self._likely(case):
                        part[name] = self._served.run(self._value(name, case))
        return case

    async def _caller(self, case: Case[Any]) -> Person:
        """An administrator where one is needed, mostly; in a sequence somebody who has called before."""
        if case.id not in self._callers:
            superuser = operation_id(case).startswith("admin_") and self._likely(case)
            earlier = [each for each in self._recent if each.user.is_superuser == superuser]
            if in_sequence(case) and earlier and self._likely(case):
                self._callers[case.id] = self._dice_of(case).choice(earlier)
            else:
                self._callers[case.id] = await self._person(superuser=superuser)
        return self._callers[case.id]

    def _likely(self, case: Case[Any]) -> bool:
        return self._dice_of(case).random() < USUALLY

    def _dice_of(self, case: Case[Any]) -> random.Random:
        """What falls depends on the call as it was generated, and on how many went before."""
        if case.id not in self._dice:
            call = (self._seed, len(self._dice), operation_id(case), case.body, case.query)
            self._dice[case.id] = random.Random(zlib.crc32(repr(call).encode("utf-8", "replace")))
        return self._dice[case.id]

    async def _value(self, name: str, case: Case[Any]) -> Any:
        return await self._known[name](await self._caller(case), case)

    async def _person(self, *, superuser: bool) -> Person:
        if self._hashed is None:
            self._hashed = await self._rs.password_hasher.hash(PASSWORD)
        address = f"person{next(self._numbers)}@example.com"
        user = User.new(
            id=new_id(self._rs.clock),
            email=address,
            email_key=address,
            hashed_password=self._hashed,
            now=self._rs.clock.now(),
            is_verified=True,
            is_superuser=superuser,
        )
        user = await self._rs.users.create(user)
        self._recent.append(Person(user, self._rs.services.sessions.issue(user).text))
        return self._recent[-1]

    async def _address(self, person: Person, case: Case[Any]) -> str:
        if operation_id(case) == "register":
            return self._new_address()
        if operation_id(case) == "admin_promote_pending":
            address = self._new_address()
            await self._rs.services.registration.register(address, PASSWORD)
            return address
        return person.user.email

    async def _other_address(self, person: Person, case: Case[Any]) -> str:
        return self._new_address()

    def _new_address(self) -> str:
        return f"new{next(self._numbers)}@example.com"

    async def _password(self, person: Person, case: Case[Any]) -> str:
        return PASSWORD

    def _new_number(self) -> str:
        return f"+4144{6680000 + next(self._numbers)}"

    async def _phone_number(self, person: Person, case: Case[Any]) -> str:
        return self._new_number()

    async def _pending_token(self, person: Person, case: Case[Any]) -> str:
        return (await self._half_finished(person, operation_id(case)))[0]

    async def _code(self, person: Person, case: Case[Any]) -> str:
        return (await self._half_finished(person, operation_id(case)))[1]

    async def _half_finished(self, person: Person, operation: str) -> tuple[str, str]:
        """Give a token and its code, the same ones to both fields of a body."""
        place = person.user.id, operation
        begun = self._begun.pop(place, None)
        if begun is None:
            begin = self._begin_sign_in if operation == "confirm_login" else self._begin_phone
            try:
                token = await begin(person)
            except RegStackError:  # an earlier call of the sequence sees to that
                return "the-token-of-what-is-over", "482913"
            assert await self._rs.drain()
            begun = self._begun[place] = token, self._served.texts[-1].text.split()[0]
        return begun

    async def _begin_sign_in(self, _: Person) -> str:
        user = (await self._person(superuser=False)).user
        user = await self._rs.users.set_second_factor(user.id, PHONE)
        return (await self._rs.services.second_factor.begin(user)).token

    async def _begin_phone(self, person: Person) -> str:
        user = await self._rs.users.get_by_id(person.user.id)
        return (await self._rs.services.phone.start(user or person.user, self._new_number(), PASSWORD)).token

    async def _id(self, person: Person, case: Case[Any]) -> str:
        other = await self._person(superuser=False)
        if operation_id(case) == "admin_resend_verification":
            await self._rs.users.set_flags(other.user.id, is_verified=False)
        return other.user.id

    async def _provider(self, person: Person, case: Case[Any]) -> str:
        if operation_id(case) == "oauth_unlink":
            identity = OAuthIdentity(
                id=new_id(self._rs.clock),
                user_id=person.user.id,
                provider="acme",
                issuer="https://acme.example",
                subject=f"subject {next(self._numbers)}",
                email=None,
                linked_at=self._rs.clock.now(),
            )
            with suppress(Conflict):  # an earlier call of a sequence linked or deleted the account
                await self._rs.oauth_identities.create(identity)
        return "acme"

    async def _exchange_id(self, person: Person, case: Case[Any]) -> str:
        async with httpx2.AsyncClient(base_url=f"{self._served.url}/api/auth/oauth/acme") as browser:
            answer = await browser.get("/start")
            provider: Any = self._rs.oauth.providers["acme"]
            who = external(f"external{next(self._numbers)}")
            answer = await browser.get("/callback", params=provider.consent(answer.headers["location"], who))
            case.headers["Cookie"] = "; ".join(f"{name}={value}" for name, value in browser.cookies.items())
            return query_of(answer.headers["location"])["id"]

    async def _mailed_token(self, person: Person, case: Case[Any]) -> str:
        if operation_id(case) not in self._mails:
            return "the-token-of-some-other-mail"
        address = await self._mails[operation_id(case)](person)
        assert await self._rs.drain()
        newest = next(mail for mail in reversed(self._served.outbox) if mail.to == address)
        found = re.search(r"token=([\w-]+)", newest.text)
        assert found
        return found[1]

    async def _register(self, person: Person) -> str:
        address = self._new_address()
        await self._rs.services.registration.register(address, PASSWORD)
        await self._rs.services.registration.resend(address)  # where registering mails nothing
        return address

    async def _forget_the_password(self, person: Person) -> str:
        user = await self._rs.users.get_by_id(person.user.id)
        if user is None or not user.is_active:  # an earlier call of the sequence did that
            user = (await self._person(superuser=False)).user
        await self._rs.services.passwords.forgot(user.email)
        return user.email

    async def _ask_for_another_address(self, _: Person) -> str:
        person = await self._person(superuser=False)
        address = self._new_address()
        await self._rs.services.email_change.request(person.user, address, PASSWORD)
        return address


def operation_id(case: Case[Any]) -> str:
    """Give the name of the operation that a case calls."""
    return str(case.operation.definition.raw["operationId"])


def in_sequence(case: Case[Any]) -> bool:
    """Say whether a case is a step of several."""
    return case.meta is not None and case.meta.phase.name == TestPhase.STATEFUL
