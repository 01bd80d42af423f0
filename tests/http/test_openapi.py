"""What client generators and people read: the OpenAPI document says everything that a route does."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from jsonschema_rs import Draft202012Validator
from pydantic import create_model

from regstack import RegStack, RegStackConfig
from regstack.routers.bodies import Body
from tests.everything import everything_on, mounted

Operation = dict[str, Any]
Said = dict[str, Any]


@pytest.fixture(scope="module")
def document() -> Said:
    rs = RegStack(RegStackConfig(database_url="memory://", **everything_on()))
    return mounted(rs).openapi()


def operations(document: Said) -> Iterator[tuple[str, Operation]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield f"{method.upper()} {path}", operation


def resolved(document: Said, schema: Said) -> Said:
    """The schema itself, where a reference stands for it; of a body that may be left out, what it is."""
    schema = schema.get("anyOf", [schema])[0]
    while "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return schema


def body_of(document: Said, operation: Operation) -> Said | None:
    """The schema of the JSON body, for routes that take one."""
    content = operation.get("requestBody", {}).get("content", {})
    return (
        resolved(document, content["application/json"]["schema"]) if "application/json" in content else None
    )


def answer_of(operation: Operation, status: str) -> str:
    """The name of the model of an answer."""
    content = operation["responses"][status].get("content", {})
    reference = content.get("application/json", {}).get("schema", {}).get("$ref", "")
    return str(reference.rpartition("/")[2])


def has_a_name_for_functions(_: Said, operation: Operation) -> bool:
    return re.fullmatch(r"[a-z][a-z0-9]*(_[a-z0-9]+){0,4}", operation["operationId"]) is not None


def has_a_summary_and_one_tag(_: Said, operation: Operation) -> bool:
    summary = operation.get("summary", "")
    return bool(summary) and not summary.endswith(".") and len(operation.get("tags", [])) == 1


def has_parameters_that_are_explained(_: Said, operation: Operation) -> bool:
    return all(
        each.get("description") or each["schema"].get("examples") for each in operation.get("parameters", [])
    )


def has_a_model_for_what_succeeds(_: Said, operation: Operation) -> bool:
    succeeds = [answer for status, answer in operation["responses"].items() if status < "4"]
    return len(succeeds) == 1 and all(
        answer.get("content", {}).get("application/json", {}).get("schema") or answer.get("headers")
        for answer in succeeds
    )


def has_problems_of_the_form_that_is_sent(_: Said, operation: Operation) -> bool:
    return all(
        answer_of(operation, status) == ("InputProblems" if status == "422" else "Problem")
        for status in operation["responses"]
        if status >= "4"
    )


def says_what_every_route_may_answer(_: Said, operation: Operation) -> bool:
    return {"413", "503"} <= set(operation["responses"])


def says_what_a_body_may_be_answered_with(document: Said, operation: Operation) -> bool:
    return body_of(document, operation) is None or {"400", "422"} <= set(operation["responses"])


def says_401_where_somebody_must_be_signed_in(_: Said, operation: Operation) -> bool:
    # An empty requirement says that a token may be left out.
    return {} in operation.get("security", [{}]) or "401" in operation["responses"]


def says_403_and_401_to_others_than_administrators(_: Said, operation: Operation) -> bool:
    return not operation["operationId"].startswith("admin_") or (
        "security" in operation and {"401", "403"} <= set(operation["responses"])
    )


def says_404_where_something_is_named_in_the_path(_: Said, operation: Operation) -> bool:
    named = any(each["in"] == "path" for each in operation.get("parameters", []))
    return not named or "404" in operation["responses"]


def says_how_long_to_wait_and_how_to_sign_in(_: Said, operation: Operation) -> bool:
    needed = {"401": "WWW-Authenticate", "429": "Retry-After", "503": "Retry-After"}
    return all(
        needed[status] in answer.get("headers", {})
        for status, answer in operation["responses"].items()
        if status in needed
    )


def has_a_body_that_refuses_unknown_fields(document: Said, operation: Operation) -> bool:
    body = body_of(document, operation)
    return body is None or body.get("additionalProperties") is False


def has_an_example_of_its_body(document: Said, operation: Operation) -> bool:
    body = body_of(document, operation)
    if body is None:
        return True
    validator = Draft202012Validator(body | {"components": document["components"]})
    return all(
        set(example) == set(body["properties"]) and validator.is_valid(example)
        for example in body.get("examples", [{}])
    )


RULES: list[Callable[[Said, Operation], bool]] = [
    has_a_name_for_functions,
    has_a_summary_and_one_tag,
    has_parameters_that_are_explained,
    has_a_model_for_what_succeeds,
    has_problems_of_the_form_that_is_sent,
    has_a_body_that_refuses_unknown_fields,
    has_an_example_of_its_body,
    says_what_every_route_may_answer,
    says_what_a_body_may_be_answered_with,
    says_401_where_somebody_must_be_signed_in,
    says_403_and_401_to_others_than_administrators,
    says_404_where_something_is_named_in_the_path,
    says_how_long_to_wait_and_how_to_sign_in,
]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_every_route(rule: Callable[[Said, Operation], bool], document: Said) -> None:
    broken = [name for name, operation in operations(document) if not rule(document, operation)]
    assert broken == []


def test_no_two_routes_have_one_name(document: Said) -> None:
    names = [operation["operationId"] for _, operation in operations(document)]
    assert len(names) == len(set(names)) >= 20


def test_names_that_clients_were_generated_from_stay(document: Said) -> None:
    names = {operation["operationId"] for _, operation in operations(document)}
    assert names >= {
        "register", "verify", "resend_verification", "login", "logout", "get_me", "update_me",
        "change_email", "confirm_email_change", "delete_account", "change_password", "forgot_password",
        "reset_password", "admin_stats", "admin_list_users", "admin_get_user", "admin_update_user",
        "admin_delete_user", "admin_resend_verification", "admin_promote_pending",
    }  # fmt: skip


def test_two_instances_of_one_application_have_names_of_their_own(document: Said) -> None:
    second = RegStack(
        RegStackConfig(
            database_url="memory://", **everything_on(), api_prefix="/staff", operation_id_prefix="staff_"
        )
    )
    first = RegStack(RegStackConfig(database_url="memory://", **everything_on()))
    app = mounted(first)
    app.include_router(second.router, prefix=second.config.api_prefix)
    names = [operation["operationId"] for _, operation in operations(app.openapi())]
    before = [operation["operationId"] for _, operation in operations(document)]
    assert sorted(names) == sorted([*before, *(f"staff_{name}" for name in before)])


def test_a_password_is_marked_as_one_wherever_it_is_sent(document: Said) -> None:
    for name, schema in document["components"]["schemas"].items():
        for field, said in schema.get("properties", {}).items():
            if "password" in field:
                texts = said.get("anyOf", [said])
                assert texts[0].get("format") == "password", (name, field)


def test_a_body_without_examples_would_be_seen() -> None:
    schema = create_model("Sample", __base__=Body, colour=(str, ...)).model_json_schema()
    assert schema["examples"] == [{}]
