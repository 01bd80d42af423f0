"""What the pages name exists: files, headings, make targets, commands and settings."""

from __future__ import annotations

import re
from pathlib import Path
from types import ModuleType

import pytest
import typer.main

# A link that leaves the repository is not followed: tests need no network.
LINK = re.compile(r"(?<!!)\[[^\]]+\]\((?!https?://|mailto:)([^)\s]+)\)")

NOT_SETTINGS = {
    "REGSTACK_CONFIG",
    "REGSTACK_SECRETS",
    "REGSTACK_STRICT_PLUGINS",
    "REGSTACK_DISABLE_BACKENDS",
    "REGSTACK_DISABLE_TRANSPORTS",
}

# Places of tests' servers, and settings of transports that other distributions bring.
FREE = re.compile(r"REGSTACK_(TEST|(EMAIL|SMS)__OPTIONS_)_")


def prose_of(page: str) -> str:
    """A page without its blocks of code."""
    return re.sub(r"^```.*?^```", "", page, flags=re.MULTILINE | re.DOTALL)


def anchors(page: str) -> set[str]:
    """The fragments that the headings of a page can be linked by."""
    headings = re.findall(r"^#+ (.+)$", prose_of(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


def code_on(page: str) -> list[str]:
    """The lines of code on a page: of its blocks, and between backticks."""
    blocks = re.findall(r"^```.*?\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    return [line for block in blocks for line in block.splitlines()] + re.findall(
        r"`([^`]+)`", prose_of(page)
    )


def test_every_link_inside_the_repository_leads_somewhere(pages: dict[str, str], root: Path) -> None:
    dead = []
    for name, text in pages.items():
        for target in LINK.findall(text):
            path, _, fragment = target.partition("#")
            file = (root / name).parent / path if path else root / name
            if not file.exists() or (fragment and fragment not in anchors(file.read_text("utf-8"))):
                dead.append(f"{name}: {target}")
    assert not dead


def test_every_page_of_the_docs_is_in_their_index(pages: dict[str, str]) -> None:
    linked = set(LINK.findall(pages["docs/README.md"]))
    assert {name.removeprefix("docs/") for name in pages if name.startswith("docs/")} <= {
        *linked,
        "README.md",
    }


def test_every_make_target_that_is_named_exists(pages: dict[str, str], root: Path) -> None:
    targets = set(re.findall(r"^([a-z]+):", (root / "Makefile").read_text("utf-8"), re.MULTILINE))
    mention = re.compile(r"make (?:[A-Z]+=\S+ )?([a-z]+)")
    code = [line for text in pages.values() for line in code_on(text)]
    named = {found[1] for line in code if (found := mention.match(line))}
    assert named
    assert named <= targets


def test_every_command_that_is_named_exists_with_its_options(pages: dict[str, str]) -> None:
    from regstack.cli.commands import make_app

    group = typer.main.get_command(make_app())
    commands = getattr(group, "commands", {})
    unknown = []
    for name, text in pages.items():
        for line in code_on(text):
            found = re.match(r"(?:\S*/)?regstack ([a-z][a-z-]*)(.*)", line)
            if found is None:
                continue
            known = commands.get(found[1])
            options = {option for parameter in known.params for option in parameter.opts} if known else set()
            if known is None or not set(re.findall(r"--[a-z-]+", found[2])) <= options:
                unknown.append(f"{name}: {line}")
    assert not unknown


def test_every_variable_that_is_named_is_a_setting(pages: dict[str, str], generator: ModuleType) -> None:
    known = NOT_SETTINGS | {
        f"REGSTACK_{setting.replace('.', '__').upper()}" for setting in generator.setting_names()
    }
    unknown = {
        f"{name}: {variable}"
        for name, text in pages.items()
        for variable in re.findall(r"\bREGSTACK_[A-Z0-9_]*[A-Z0-9]\b", text)
        if variable not in known and not FREE.match(variable)
    }
    assert not unknown


def test_every_keyword_of_the_settings_in_a_snippet_is_one(
    pages: dict[str, str], generator: ModuleType
) -> None:
    known = {*generator.setting_names(), *generator.SECTIONS, "toml_path", "secrets_env_path"}
    unknown = {
        f"{name}: {keyword}"
        for name, text in pages.items()
        for call in re.findall(r"RegStackConfig(?:\.load)?\(([^`]*?)\)\n", text)
        for keyword in re.findall(r"(?:^|[\s(,])(\w+)=", re.sub(r"\{[^}]*\}", "", call))
        if keyword not in known
    }
    assert not unknown


def test_versions_of_tools_are_pinned_without_a_place_to_get_them_from(root: Path) -> None:
    lines = (root / "constraints.txt").read_text("utf-8").splitlines()
    for line in lines:
        assert re.fullmatch(r"#.*|[a-z0-9.-]+==[\w.]+(?: ; .+)?", line), line
        assert "://" not in line
    assert not [line for line in lines if line.startswith("regstack")]


@pytest.mark.parametrize("name", ["README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "LICENSE"])
def test_the_files_that_people_look_for_are_there(name: str, root: Path) -> None:
    assert (root / name).stat().st_size > 0
