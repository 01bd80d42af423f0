"""What a test of the suite expects, and how it says that it got something else."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from regstack.testing.clauses import Clause


class ClauseBroken(AssertionError):
    """A backend did not do what a clause demands.

    Attributes:
        clauses: those of the test's clauses that are broken, where it knows; else empty.
    """

    def __init__(self, text: str, *, clauses: tuple[str, ...] = ()) -> None:
        super().__init__(text)
        self.clauses = clauses


class Expectation:
    """Compares what came with what a clause demands.

    Args:
        clauses: the rules that the test checks.
        backend: `kind` of the backend.
        seed: with which the order of simultaneous calls is drawn.
    """

    def __init__(self, clauses: Sequence[Clause], backend: str, seed: int) -> None:
        self._clauses = clauses
        self._backend = backend
        self._seed = seed

    def __call__(self, came: object, wanted: object, *, did: str, cause: str = "") -> None:
        """Demand equality; True, False and None must be those very objects.

        Args:
            came: what the backend answered.
            wanted: what the clause demands.
            did: what was done, for the reader of a failure.
            cause: what usually goes wrong where this fails.

        Raises:
            ClauseBroken: they differ.
        """
        __tracebackhide__ = True
        exact = wanted is None or isinstance(wanted, bool)
        if came is wanted if exact else came == wanted:
            return
        raise ClauseBroken(self.explain(did=did, came=repr(came), wanted=repr(wanted), cause=cause))

    def that(self, holds: object, *, came: object, wanted: str, did: str, cause: str = "") -> None:
        """Demand a condition that equality cannot say.

        Raises:
            ClauseBroken: it does not hold.
        """
        __tracebackhide__ = True
        if not holds:
            raise ClauseBroken(self.explain(did=did, came=repr(came), wanted=wanted, cause=cause))

    @contextmanager
    def raises(self, error: type[Exception], *, did: str, cause: str = "") -> Iterator[None]:
        """Demand that the block raises this error.

        Raises:
            ClauseBroken: it raises another one, or none.
        """
        __tracebackhide__ = True
        try:
            yield
        except error:
            return
        except Exception as other:
            came = f"{type(other).__module__}.{type(other).__qualname__}: {other}"
            raise ClauseBroken(
                self.explain(did=did, came=came, wanted=error.__name__, cause=cause)
            ) from other
        raise ClauseBroken(self.explain(did=did, came="no error", wanted=error.__name__, cause=cause))

    def explain(self, *, did: str, came: str, wanted: str, cause: str) -> str:
        """Put the rule, what was done, what came, the likely cause and the seed in one text."""
        names = ", ".join(clause.name for clause in self._clauses)
        lines = [
            f"{names} does not hold on {self._backend!r}",
            *(f"  {clause.name}  {clause.rule}" for clause in self._clauses),
            f"  done:   {did}",
            f"  came:   {came}",
            f"  wanted: {wanted}",
        ]
        if cause:
            lines.append(f"  likely: {cause}")
        lines.append(f"  again:  --regstack-seed={self._seed}")
        return "\n".join(lines)
