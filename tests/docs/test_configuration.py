"""docs/configuration.md is what the schema says."""

from __future__ import annotations

import re
from pathlib import Path
from types import ModuleType

from regstack.config.schema import RegStackConfig


def test_the_page_is_current(generator: ModuleType, root: Path) -> None:
    written = (root / "docs" / "configuration.md").read_text("utf-8")
    assert written == generator.page(), "docs/configuration.md is stale; run `make docs`"


def test_every_setting_is_on_the_page_once(generator: ModuleType) -> None:
    page = generator.page()
    rows = re.findall(r"^\| `(\w+)` \| [^|]+ \| [^|]+ \| \S", page, re.MULTILINE)
    assert rows == [name.rpartition(".")[2] for name in generator.setting_names()]
    assert set(generator.GROUPS) <= set(RegStackConfig.model_fields)


def test_a_setting_is_called_planned_exactly_while_nothing_acts_on_it(
    generator: ModuleType, root: Path
) -> None:
    sources = [
        path.read_text("utf-8")
        for path in [*root.glob("regstack/**/*.py"), *root.glob("plugins/*/regstack_*/**/*.py")]
        if path.parent.name != "config" and "testing" not in path.parts
    ]

    def is_read(setting: str) -> bool:
        if setting.endswith("_rate_limit"):
            claim = f'limits.claim("{setting.removesuffix("_rate_limit")}"'
            return any(claim in source for source in sources)
        section, _, name = setting.rpartition(".")
        schema = generator.SECTIONS[section].__name__ if section else ""
        return any(
            re.search(rf"\.{section}\.{name}\b" if schema not in source else rf"\.{name}\b", source)
            for source in sources
        )

    assert {name for name in generator.setting_names() if not is_read(name)} == set(generator.PLANNED)
