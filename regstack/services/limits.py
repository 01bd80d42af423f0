"""Limits of the routes, by network and by account."""

from __future__ import annotations

import asyncio
import math
from datetime import timedelta
from typing import TYPE_CHECKING

from regstack.errors import ConfigurationError, TooManyAttempts
from regstack.extras import load_library
from regstack.services.caller import PolicyState, current_caller
from regstack.services.throttle import Rule

if TYPE_CHECKING:
    from regstack.config.schema import RegStackConfig
    from regstack.models.attempt import AttemptDecision
    from regstack.services.audit import Audit
    from regstack.services.throttle import Throttle

SUFFIX = "_rate_limit"
UNKNOWN_NETWORK = "unknown"
"""Callers whose address is not known share one counter: an open door would be the worse guess."""


class Limits:
    """Counts calls of each use case by its `<name>_rate_limit` setting.

    They are claimed in the service, so that every spelling of a path and every page leads to the
    same counter, and in storage, so that all workers share it. The claims for a network are sent
    together, and so are those for an account, but after them: what a network is refused must not
    use up what the account's owner has.

    Raises:
        ConfigurationError: see `parse_limits`.
    """

    def __init__(self, throttle: Throttle, audit: Audit, config: RegStackConfig) -> None:
        self._throttle = throttle
        self._audit = audit
        self._rules = parse_limits(config)

    async def claim(self, name: str, account: str | None = None) -> None:
        """Pay for one call.

        Args:
            name: the setting without its `_rate_limit`.
            account: the email key that the call is about, of an account or not; None where that
                is not known yet.

        Raises:
            TooManyAttempts: the limit of the caller's network, or of the account, is reached.
        """
        rules, caller = self._rules[name], current_caller()
        if not rules:
            return
        if caller is not None:
            network = caller.network or UNKNOWN_NETWORK
            decisions = await asyncio.gather(
                *(self._throttle.claim(f"{_counter(name, rule)}:network:{network}", rule) for rule in rules)
            )
            # What others do to an account is not for the caller to know; its own network's count is.
            caller.policies += [
                _state(name, rule, decision) for rule, decision in zip(rules, decisions, strict=True)
            ]
            self._require(name, account, decisions)
        if account is not None:
            decisions = await asyncio.gather(
                *(self._throttle.claim_for(_counter(name, rule), account, rule) for rule in rules)
            )
            self._require(name, account, decisions)

    def _require(self, name: str, account: str | None, decisions: list[AttemptDecision]) -> None:
        refused = [decision.retry_after for decision in decisions if not decision.allowed]
        if refused:
            self._audit.record("rate_limit", "refused", account=account, limit=name + SUFFIX)
            raise TooManyAttempts(max(refused))


def parse_limits(config: RegStackConfig) -> dict[str, tuple[Rule, ...]]:
    """Read the limits of all use cases; none where `rate_limit_disabled` is set.

    Raises:
        ConfigurationError: a limit cannot be read or counted; says which and what to write.
    """
    settings = {
        field.removesuffix(SUFFIX): getattr(config, field)
        for field in type(config).model_fields
        if field.endswith(SUFFIX)
    }
    rules = {name: _parse(name, text) if text is not None else () for name, text in settings.items()}
    if config.rate_limit_disabled:
        return dict.fromkeys(rules, ())
    if any(rules.values()) and config.behind_proxy and config.trusted_proxy_count == 0:
        raise ConfigurationError(
            "behind_proxy is set and trusted_proxy_count is 0, so every rate limit would count all "
            "people as one, the proxy; set trusted_proxy_count to how many proxies append to "
            "X-Forwarded-For"
        )
    return rules


def _counter(name: str, rule: Rule) -> str:
    return f"limit:{name}:{rule.limit}/{_seconds(rule.window)}"


def _state(name: str, rule: Rule, decision: AttemptDecision) -> PolicyState:
    window = _seconds(rule.window)
    reset = None if decision.allowed else math.ceil(decision.retry_after.total_seconds())
    return PolicyState(f"{name}-{window}s", rule.limit, window, decision.remaining, reset)


def _seconds(window: timedelta) -> int:
    return int(window.total_seconds())


def _parse(name: str, text: str) -> tuple[Rule, ...]:
    library = load_library("limits", extra="limits", needed_by=f"{name}{SUFFIX}")
    try:
        items = library.parse_many(text)
    except ValueError:
        items = []
    if not items or any(item.amount < 1 or item.get_expiry() < 1 for item in items):
        raise ConfigurationError(
            f"{name}{SUFFIX} cannot be read; write limits like 5/minute;20/hour, or leave it out for none"
        )
    return tuple(Rule(item.amount, timedelta(seconds=item.get_expiry())) for item in items)
