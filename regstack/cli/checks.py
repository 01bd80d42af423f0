"""What `regstack doctor` looks at; each check says what it found and what to do."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from regstack.auth.clock import SystemClock
from regstack.cli.plugin_listing import leniently
from regstack.cli.transport_checks import check_mail, check_texts
from regstack.config.loader import DEFAULT_SECRETS, find_file
from regstack.config.urls import is_loopback
from regstack.errors import RegStackError
from regstack.models.finding import Finding, Health
from regstack.plugins.discovery import STRICT_VARIABLE, is_strict
from regstack.plugins.record import PluginState
from regstack.plugins.redaction import last_line, without_secrets
from regstack.plugins.registry import PluginRegistry
from regstack.plugins.transports import TransportRegistry

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from regstack.backends.base import Backend
    from regstack.cli.settings_files import SettingsFiles
    from regstack.config.schema import RegStackConfig
    from regstack.plugins.record import PluginRecord


FEWEST_DIFFERENT_CHARACTERS = 10
"""Of 10,000 random keys of 32 hexadecimal digits one has fewer."""

LEAST_MEMORY_KIB = 7 * 1024
LEAST_MEMORY_TIMES_PASSES = 35 * 1024
"""The weakest of the equivalent Argon2id settings of OWASP's Password Storage Cheat Sheet."""

LINK_TEMPLATES = ("verify_url_template", "password_reset_url_template", "email_change_url_template")

ERRORS_SAY_WHAT_TO_DO = "Do what that says, then run `regstack doctor` again."

BACKEND_DEADLINE_SECONDS = 30
"""For a plugin that does not keep the deadlines of the settings."""


async def all_checks(files: SettingsFiles) -> list[Finding]:
    """Run every check; those that need settings only where the settings can be read."""
    registry, transports = leniently(PluginRegistry), leniently(TransportRegistry)
    from regstack.assembly import check_settings

    try:
        config = files.load()
        check_settings(config)
    except RegStackError as error:
        broken = Finding(
            "configuration",
            Health.FAILED,
            str(error),
            "Correct the settings, or write them with `regstack init`.",
        )
        return [broken, *_plugins(registry.records), *_plugins(_unusable(transports))]
    return [
        Finding("configuration", Health.OK, f"{config.app_name}, {len(type(config).model_fields)} settings"),
        _secret(config),
        *_secrets_file(files),
        _base_url(config),
        _hashing(config),
        *_limits(config),
        *_links(config),
        *_plugins(registry.records),
        *_plugins(_unusable(transports)),
        *await _database(config, registry),
        await check_mail(config.email, transports),
        *await check_texts(config, transports),
    ]


def _secret(config: RegStackConfig) -> Finding:
    if config.jwt_secret is None:
        return Finding(
            "secret",
            Health.FAILED,
            "jwt_secret is not set",
            "Run `regstack init`, or set REGSTACK_JWT_SECRET to the output of `openssl rand -base64 48`.",
        )
    secret = config.jwt_secret.get_secret_value()
    if len(set(secret)) < FEWEST_DIFFERENT_CHARACTERS:
        return Finding(
            "secret",
            Health.FAILED,
            f"jwt_secret has only {len(set(secret))} different characters and can be guessed",
            "Replace it by the output of `openssl rand -base64 48`; everyone has to sign in again.",
        )
    return Finding("secret", Health.OK, f"jwt_secret has {len(secret)} characters")


def _secrets_file(files: SettingsFiles) -> Iterator[Finding]:
    path = find_file(files.secrets, "REGSTACK_SECRETS", DEFAULT_SECRETS)
    if path is None or os.name != "posix":
        return
    mode = path.stat().st_mode & 0o777
    if mode & 0o077:
        yield Finding(
            "secrets file",
            Health.WARNING,
            f"{path} has mode {mode:04o}: others may read it",
            f"chmod 600 {path}",
        )
    else:
        yield Finding("secrets file", Health.OK, f"{path} has mode {mode:04o}")


def _base_url(config: RegStackConfig) -> Finding:
    parts = urlsplit(config.base_url)
    if parts.scheme == "https":
        return Finding("base_url", Health.OK, config.base_url)
    if is_loopback(config.base_url):
        return Finding("base_url", Health.OK, f"{config.base_url}: this machine alone, for development")
    return Finding(
        "base_url",
        Health.FAILED,
        f"{config.base_url} is not https: passwords and links travel unencrypted",
        "Serve the application with TLS, and write its https:// URL.",
    )


def _hashing(config: RegStackConfig) -> Finding:
    from regstack.assembly import hashing_parameters

    found = hashing_parameters(config)
    memory, passes = found.memory_kib, found.time_cost
    cost = f"Argon2id with {memory} KiB, {passes} passes, {found.parallelism} lanes"
    if memory >= LEAST_MEMORY_KIB and memory * passes >= LEAST_MEMORY_TIMES_PASSES:
        return Finding("password hashing", Health.OK, cost)
    return Finding(
        "password hashing",
        Health.FAILED,
        f"{cost} is less than OWASP's minimum",
        'Set password_hash_preset = "owasp", and take the other password_hash_ settings out; '
        "hashes are renewed as people sign in.",
    )


def _limits(config: RegStackConfig) -> Iterator[Finding]:
    if config.rate_limit_disabled:
        yield Finding(
            "limits",
            Health.WARNING,
            "rate_limit_disabled: passwords may be guessed without end",
            "Set rate_limit_disabled = false outside of tests.",
        )


def _links(config: RegStackConfig) -> Iterator[Finding]:
    if config.enable_ui_router or config.email_link_prefix is not None:
        return
    missing = [name for name in LINK_TEMPLATES if getattr(config, name) is None]
    if missing:
        yield Finding(
            "mailed links",
            Health.WARNING,
            f"the pages are switched off, and mailed links lead to them: {', '.join(missing)} not set",
            "Set enable_ui_router = true, or set the templates to your frontend's pages.",
        )


def _unusable(transports: TransportRegistry) -> Iterator[PluginRecord]:
    """The transports worth a line; those that are configured are asked for a sign of life anyway."""
    return (record for record in transports.records if record.state is not PluginState.OK)


def _plugins(records: Iterable[PluginRecord]) -> Iterator[Finding]:
    for record in records:
        name, told = f"plugin {record.name}", f"{record.state}, {record.origin}"
        if record.state is PluginState.OK:
            yield Finding(name, Health.OK, told)
        else:
            status = Health.FAILED if is_strict(os.environ) else Health.WARNING
            also = f"; {STRICT_VARIABLE} makes that fatal" if status is Health.FAILED else ""
            yield Finding(name, status, f"{told}: {record.reason}{also}", record.next_step)


async def _database(config: RegStackConfig, registry: PluginRegistry) -> list[Finding]:
    url = config.database_url.get_secret_value()
    try:
        backend = registry.create_backend(config, SystemClock())
    except RegStackError as error:
        return [Finding("backend", Health.FAILED, without_secrets(str(error), url))]
    checks = [Finding("backend", Health.OK, f"{backend.kind}, {urlsplit(url).scheme}://")]
    try:
        async with asyncio.timeout(BACKEND_DEADLINE_SECONDS):
            checks.append(await _ping(registry, backend))
            checks.append(await _schema(backend))
            checks.extend(await backend.diagnose())
    except TimeoutError:
        told = f"it did not answer within {BACKEND_DEADLINE_SECONDS} seconds"
        checks.append(Finding("database", Health.FAILED, told, "Look at the database's own log."))
    except RegStackError as error:
        told = without_secrets(str(error), url)
        checks.append(Finding("database", Health.FAILED, told, ERRORS_SAY_WHAT_TO_DO))
    except Exception as error:  # noqa: BLE001 - a driver may raise anything, and doctor reports it all
        told = last_line(error, url)
        checks.append(
            Finding(
                "database",
                Health.FAILED,
                told,
                "Start the database, or correct database_url and the network.",
            )
        )
    finally:
        await backend.aclose()
    return checks


async def _ping(registry: PluginRegistry, backend: Backend) -> Finding:
    report = await registry.ping(backend)
    facts = [f"{report.round_trip.total_seconds() * 1000:.1f} ms", f"version {report.server_version}"]
    facts += [f"{name} {value}" for name, value in sorted(report.details.items())]
    return Finding("database", Health.OK, f"answers: {', '.join(facts)}")


async def _schema(backend: Backend) -> Finding:
    pending = await backend.pending_changes()
    if not pending:
        return Finding("schema", Health.OK, "up to date")
    return Finding(
        "schema",
        Health.FAILED,
        "\n".join(("not up to date:", *pending)),
        "Run `regstack migrate`; the application does the same when it starts.",
    )
