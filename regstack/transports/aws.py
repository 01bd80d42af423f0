"""One service of Amazon, called through boto3 in threads."""

from __future__ import annotations

import asyncio
import logging
import re
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from regstack.errors import DeliveryError
from regstack.extras import load_library

if TYPE_CHECKING:
    from collections.abc import Mapping

THREADS: Final = 4
"""Calls of one client that run at the same time."""

_THREAD_NAME: Final = "regstack-aws"
_CODE: Final = re.compile(r"[A-Za-z0-9.]{1,60}")
_THROTTLED: Final = frozenset({"Throttling", "ThrottlingException", "ThrottledException", "RequestThrottled"})
_TALKATIVE: Final = ("botocore.auth", "botocore.endpoint", "botocore.parsers")
"""Loggers that tell, at DEBUG, what is sent and what comes back."""


class _Discretion(logging.Filter):
    """Takes what boto3 tells of our calls out of the log; other users of boto3 are left alone.

    Codes, links and addresses are in it.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        ours = (record.threadName or "").startswith(_THREAD_NAME)
        return record.levelno > logging.DEBUG or not ours


_DISCRETION: Final = _Discretion()


class AwsClient:
    """Calls operations of one service; nothing is connected or read before the first call.

    boto3's own chain finds the credentials where none are given: environment, profile, role.

    Args:
        service: boto3's name of the service.
        label: what messages call it.
        backend: the setting that asks for it, and the extra that brings boto3, for messages.
        region: AWS region.
        timeout_seconds: deadline of a call. A request that is under way then goes on in its
            thread until its sockets time out, so what it asks for may still be done.
        credentials: `profile_name`, `aws_access_key_id` and `aws_secret_access_key` of
            `boto3.Session`, as far as they are given.

    Raises:
        ConfigurationError: boto3 is not installed.
    """

    def __init__(
        self,
        service: str,
        label: str,
        *,
        backend: tuple[str, str],
        region: str,
        timeout_seconds: float,
        credentials: Mapping[str, str] | None = None,
    ) -> None:
        setting, extra = backend
        needed_by = f'{setting} = "{extra}"'
        self._boto3 = load_library("boto3", extra=extra, needed_by=needed_by)
        self._exceptions = import_module("botocore.exceptions")
        for name in _TALKATIVE:
            logging.getLogger(name).addFilter(_DISCRETION)
        self._service = service
        self._where = f"{label} in {region}"
        self._region = region
        self._seconds = timeout_seconds
        self._credentials = dict(credentials or {})
        self._clients: dict[str, Any] = {}
        self._making = threading.Lock()
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix=_THREAD_NAME)

    async def call(self, operation: str, **arguments: Any) -> dict[str, Any]:
        """Call an operation of the service.

        Args:
            operation: boto3's name of it.
            **arguments: as the operation has them.

        Raises:
            DeliveryError: it did not succeed; permanent where the service refused it for good.
        """
        return await self._call(self._service, operation, arguments)

    async def identify(self) -> str:
        """Ask who the credentials belong to, which needs no permission.

        Returns:
            One line: where, and as whom; without credentials.

        Raises:
            DeliveryError: there are none, they are not taken, or Amazon cannot be reached.
        """
        answer = await self._call("sts", "get_caller_identity", {})
        return f"{self._where}: signed in as {answer.get('Arn', 'nobody')}"

    async def aclose(self) -> None:
        """Close the connections."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        for client in self._clients.values():
            client.close()

    async def _call(self, service: str, operation: str, arguments: dict[str, Any]) -> dict[str, Any]:
        given_up = threading.Event()
        run = partial(self._call_in_thread, service, operation, arguments, given_up)
        try:
            async with asyncio.timeout(self._seconds):
                return await asyncio.get_running_loop().run_in_executor(self._threads, run)
        except Exception as error:  # noqa: BLE001 - boto3's errors have no common base
            # Not as its cause: Amazon's own words may quote the recipient.
            raise self._delivery_error(error) from None
        finally:
            given_up.set()

    def _call_in_thread(
        self, service: str, operation: str, arguments: dict[str, Any], given_up: threading.Event
    ) -> dict[str, Any]:
        with self._making:  # a client may be shared by threads, a session may not
            client = self._clients.get(service) or self._make(service)
        if given_up.is_set():
            return {}
        answer: dict[str, Any] = getattr(client, operation)(**arguments)
        return answer

    def _make(self, service: str) -> Any:
        session = self._boto3.Session(region_name=self._region, **self._credentials)
        options = import_module("botocore.config").Config(
            connect_timeout=self._seconds,
            read_timeout=self._seconds,
            retries={"total_max_attempts": 1},  # the queue repeats
            max_pool_connections=THREADS,
        )
        client = self._clients[service] = session.client(service, config=options)
        return client

    def _delivery_error(self, error: Exception) -> DeliveryError:
        """What went wrong, without Amazon's own words."""
        raised, kind = self._exceptions, type(error).__name__
        if isinstance(error, raised.ClientError):
            return self._refusal(error)
        if isinstance(error, (TimeoutError, raised.ConnectTimeoutError, raised.ReadTimeoutError)):
            return DeliveryError(f"{self._where} took longer than {self._seconds:g} s")
        if isinstance(error, raised.ParamValidationError):
            return DeliveryError(f"{self._where} cannot be given this message", permanent=True)
        if isinstance(error, (raised.ConnectionError, raised.HTTPClientError)):
            return DeliveryError(f"{self._where} cannot be reached, or broke off ({kind})")
        if isinstance(error, raised.BotoCoreError):
            hint = "check credentials, profile and region"
            return DeliveryError(f"{self._where} could not be asked ({kind}); {hint}")
        return DeliveryError(f"{self._where} does not speak as expected ({kind})")

    def _refusal(self, error: Any) -> DeliveryError:
        status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
        code = str(error.response.get("Error", {}).get("Code", ""))
        named = f" {code}" if _CODE.fullmatch(code) and code != str(status) else ""
        hint = "; check the credentials and what they may do" if status in {401, 403} else ""
        transient = status in {408, 429} or status >= 500 or code in _THROTTLED
        return DeliveryError(f"{self._where} answered {status}{named}{hint}", permanent=not transient)
