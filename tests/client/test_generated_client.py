"""A client that was generated from the OpenAPI document does the main job, errors included."""

from __future__ import annotations

import importlib
import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from regstack import RegStackConfig
from tests.everything import everything_on
from tests.served import Served

PASSWORD, NEW = "correct horse battery", "another long password"
ALICE = "alice@example.com"
PACKAGE = "generated_client"


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    with Served(RegStackConfig(database_url="memory://", **everything_on())) as served:
        yield served


@pytest.fixture(scope="module")
def package(served: Served, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of a client that was generated, without a word of complaint, and can be imported."""
    folder = tmp_path_factory.mktemp("client")
    (folder / "openapi.json").write_text(json.dumps(served.document))
    (folder / "settings.yaml").write_text("post_hooks: []\n")
    command = [Path(sys.executable).with_name("openapi-python-client"), "generate", "--fail-on-warning"]
    command += [
        "--path",
        "openapi.json",
        "--config",
        "settings.yaml",
        "--meta",
        "none",
        "--output-path",
        PACKAGE,
    ]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=180, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "WARNING" not in done.stdout + done.stderr
    sys.path.insert(0, str(folder))
    yield folder / PACKAGE
    sys.path.remove(str(folder))
    for name in [name for name in sys.modules if name.partition(".")[0] == PACKAGE]:
        del sys.modules[name]


@pytest.fixture
def models(package: Path) -> Any:
    return importlib.import_module(f"{PACKAGE}.models")


@pytest.fixture
def call(package: Path, served: Served) -> Iterator[Callable[..., Any]]:
    """Call an operation by its name, `sync_detailed` as the generator calls it."""
    library = importlib.import_module(PACKAGE)
    clients: dict[str | None, Any] = {}

    def run(operation: str, body: Any = None, token: str | None = None, **more: Any) -> Any:
        if token not in clients:
            signed_in = {} if token is None else {"token": token}
            kind = library.Client if token is None else library.AuthenticatedClient
            clients[token] = kind(base_url=served.url, **signed_in)
        (path,) = package.glob(f"api/*/{operation}.py")
        module = importlib.import_module(f"{PACKAGE}.api.{path.parent.name}.{operation}")
        if body is not None:
            more["body"] = body
        return module.sync_detailed(client=clients[token], **more)

    yield run
    for client in clients.values():
        client.get_httpx_client().close()


def mailed_token(served: Served, to: str) -> str:
    """The token in the newest mail to an address."""
    assert served.run(served.rs.drain())
    mail = next(mail for mail in reversed(served.outbox) if mail.to == to)
    found = re.search(r"token=([\w-]+)", mail.text)
    assert found
    return found[1]


def test_it_has_a_function_for_every_operation(package: Path, served: Served) -> None:
    paths = served.document["paths"].values()
    operations = {operation["operationId"] for path in paths for operation in path.values()}
    assert {path.stem for path in package.glob("api/*/*.py")} - {"__init__"} == operations


def test_it_registers_confirms_signs_in_changes_the_password_and_signs_out(
    call: Callable[..., Any], models: Any, served: Served
) -> None:
    answer = call("register", models.RegisterBody(email=ALICE, password=PASSWORD, full_name="Alice"))
    assert answer.status_code == 201
    assert isinstance(answer.parsed, models.PendingAnswer)
    assert answer.parsed.status == "pending_verification"
    assert answer.parsed.expires_at.tzinfo is not None

    user = call("verify", models.VerifyBody(token=mailed_token(served, ALICE))).parsed
    assert isinstance(user, models.UserAnswer)
    assert (user.email, user.is_verified, user.last_login) == (ALICE, True, None)

    token = call("login", models.LoginBody(email=ALICE, password=PASSWORD)).parsed
    assert isinstance(token, models.TokenAnswer)
    assert call("get_me", token=token.access_token).parsed.id == user.id
    renamed = call("update_me", models.ProfileBody(full_name=None), token.access_token).parsed
    assert renamed.full_name is None

    body = models.ChangePasswordBody(current_password=PASSWORD, new_password=NEW)
    fresh = call("change_password", body, token.access_token).parsed.access_token
    assert call("get_me", token=token.access_token).status_code == 401
    assert call("logout", token=fresh).parsed.status == "ok"
    assert call("get_me", token=fresh).status_code == 401


def test_it_has_models_for_what_goes_wrong(call: Callable[..., Any], models: Any, served: Served) -> None:
    refused = call("login", models.LoginBody(email="nobody@example.com", password=PASSWORD))
    assert refused.status_code == 401
    assert isinstance(refused.parsed, models.Problem)
    assert refused.headers["www-authenticate"] == "Bearer"

    rejected = call("register", models.RegisterBody(email="bob@example.com", password="password123"))
    assert rejected.status_code == 422
    assert isinstance(rejected.parsed, models.InputProblems)
    assert "common" in rejected.parsed.detail[0].msg

    malformed = call("login", models.LoginBody(email="", password=""))
    assert malformed.status_code == 422
    assert [problem.loc for problem in malformed.parsed.detail] == [["body", "email"], ["body", "password"]]

    used = call("verify", models.VerifyBody(token="the-token-of-a-mail-that-never-was"))
    assert (used.status_code, type(used.parsed)) == (400, models.Problem)

    nobody = models.LoginBody(email="locked@example.com", password=PASSWORD)
    answers = [call("login", nobody) for _ in range(6)]
    assert (answers[-1].status_code, type(answers[-1].parsed)) == (429, models.Problem)
    assert int(answers[-1].headers["retry-after"]) > 0


def test_it_administers(call: Callable[..., Any], models: Any, served: Served) -> None:
    served.run(served.rs.bootstrap_admin("root@example.com", PASSWORD))
    token = call("login", models.LoginBody(email="root@example.com", password=PASSWORD)).parsed.access_token
    page = call("admin_list_users", token=token, limit=1, search="root").parsed
    assert isinstance(page, models.PageAnswer)
    (root,) = page.items
    assert call("admin_stats", token=token).parsed.superusers == 1
    last = call("admin_update_user", models.AdminUserBody(is_superuser=False), token, user_id=root.id)
    assert (last.status_code, type(last.parsed)) == (409, models.Problem)
    unknown = call("admin_get_user", token=token, user_id="nobody")
    assert (unknown.status_code, type(unknown.parsed)) == (404, models.Problem)
