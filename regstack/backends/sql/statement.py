"""A statement, compiled once for one dialect, at its first use."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from sqlalchemy.engine import Dialect
    from sqlalchemy.sql import Delete, Insert, Select, Update
    from sqlalchemy.types import TypeEngine

    Clause = Select[Any] | Insert | Update | Delete


class Arguments(tuple[Any, ...]):
    """What the driver gets beside the SQL text; a driver that logs it shows none of the values."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"<{len(self)} arguments>"


class Statement:
    """SQL text, the way from named parameters to the driver's arguments, and back from its rows.

    It is compiled when it is first used: a backend has some sixty, and a process that starts, or a
    command that looks at the schema alone, needs few of them.

    Args:
        clause: a Core statement whose parameters are `bindparam`s.
        dialect: one with positional parameters.

    Attributes:
        sql: what the driver gets.
        writes: it may change rows.
    """

    __slots__ = ("_arguments", "_clause", "_converters", "_dialect", "sql", "writes")

    def __init__(self, clause: Clause, dialect: Dialect) -> None:
        self._clause = clause
        self._dialect = dialect
        self.writes = not clause.is_select

    def __getattr__(self, name: str) -> Any:
        """Compile, where one of the slots that compiling fills is read for the first time."""
        if name not in {"sql", "_arguments", "_converters"}:
            raise AttributeError(name)
        self._compile()
        return getattr(self, name)

    def _compile(self) -> None:
        dialect = self._dialect
        compiled = self._clause.compile(dialect=dialect, compile_kwargs={"render_postcompile": True})
        self.sql = compiled.string
        arguments: list[tuple[str | None, Any, Callable[[Any], Any] | None]] = []
        for name in compiled.positiontup or ():
            parameter = compiled.binds[name]
            process = _implementation(parameter.type, dialect).bind_processor(dialect)
            if parameter.required:
                arguments.append((parameter.key, None, process))
            else:
                value = parameter.effective_value
                arguments.append((None, value if process is None else process(value), None))
        self._arguments = tuple(arguments)
        converters = [
            _implementation(column.type, dialect).result_processor(dialect, None)
            for column in self._clause.exported_columns
        ]
        self._converters = [(at, convert) for at, convert in enumerate(converters) if convert is not None]

    def arguments(self, parameters: Mapping[str, Any]) -> Arguments:
        """Give the driver's arguments for named parameters."""
        return Arguments(
            [
                constant if key is None else parameters[key] if process is None else process(parameters[key])
                for key, constant, process in self._arguments
            ]
        )

    def row(self, raw: Sequence[Any]) -> list[Any]:
        """Turn the driver's row into Python values, by position."""
        values = list(raw)
        for at, convert in self._converters:
            values[at] = convert(values[at])
        return values


def _implementation(type_: TypeEngine[Any], dialect: Dialect) -> TypeEngine[Any]:
    return type_.dialect_impl(dialect)
