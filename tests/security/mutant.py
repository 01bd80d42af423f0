"""A defence taken out, in this process, and the tests that must notice.

A file in `tests/security/mutants/` has a list `MUTANTS`. Each of them changes one function or attribute of
regstack; a target or a text that is not there is an error, so that no mutant outlives what it breaks.
"""

from __future__ import annotations
import __future__

import inspect
import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from types import CodeType, FunctionType
from typing import Any

Change = Callable[[], None]


class Misfit(Exception):
    """The mutant does not fit the code any more; say in it what is missing."""


@dataclass(frozen=True, slots=True)
class Mutant:
    """One defence less.

    Attributes:
        row: of the table of attacks in docs/security.md.
        defence: what is taken out, in a few words; unique.
        change: takes it out; see `rewrite` and `replace`.
        caught_by: tests that must fail then, each of them, as `test_file.py::test_name` below this
            folder or as a path below the repository. Of a test with several databases the `database`
            is run, of one with other parameters all.
        database: the backend that shows it.
    """

    row: str
    defence: str
    change: Change
    caught_by: tuple[str, ...]
    database: str = "memory"


def find(target: str) -> tuple[Any, str, Any]:
    """Give the owner, the name and the value of `package.module:Class.attribute`."""
    module, _, path = target.partition(":")
    owner: Any = import_module(module)
    *parents, name = path.split(".")
    try:
        for parent in parents:
            owner = getattr(owner, parent)
        return owner, name, inspect.getattr_static(owner, name)
    except AttributeError:
        raise Misfit(f"there is no {target}") from None


def replace(target: str, value: Any) -> Change:
    """Put a value in the place of a function or an attribute; of a constant, where it is looked up."""

    def change() -> None:
        owner, name, _ = find(target)
        setattr(owner, name, value)

    return change


def rewrite(target: str, *texts: tuple[str, str]) -> Change:
    """Replace texts in a function, which must hold each exactly once, wherever the function is known."""

    def change() -> None:
        found = find(target)[2]
        if isinstance(found, cached_property):
            found = found.func
        function = inspect.unwrap(getattr(found, "__func__", found))
        if not isinstance(function, FunctionType):
            raise Misfit(f"{target} is no function")
        source = textwrap.dedent(inspect.getsource(function))
        for old, new in texts:
            if source.count(old) != 1:
                raise Misfit(f"{target} holds {source.count(old)} times, and not once: {old}")
            source = source.replace(old, new)
        function.__code__ = _compiled(function, source)

    return change


def all_of(*changes: Change) -> Change:
    """Make several changes, where a defence has several layers."""

    def change() -> None:
        for each in changes:
            each()

    return change


def _compiled(function: FunctionType, source: str) -> CodeType:
    # Inside of a function of the same free variables, so that `super()` and closures go on working.
    free = function.__code__.co_freevars
    text = f"def around({', '.join(free)}):\n{textwrap.indent(source, '    ')}"
    flags = __future__.annotations.compiler_flag
    code = compile(text, function.__code__.co_filename, "exec", flags=flags, dont_inherit=True)
    for _ in range(2):
        code = next(
            constant
            for constant in code.co_consts
            if isinstance(constant, CodeType) and constant.co_name in {"around", function.__name__}
        )
    if code.co_freevars != free:
        raise Misfit(f"{function.__qualname__}: the change adds or drops a variable of a closure")
    return code
