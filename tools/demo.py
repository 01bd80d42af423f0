"""`make demo`: the demo server, and beside it an OpenID provider to sign in with.

Arguments go to `regstack serve --demo`. The provider lets in whoever names one of its people.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from urllib.error import URLError
from urllib.request import urlopen

from regstack.cli.main import run

START_SECONDS = 30
PEOPLE = {
    "wendy": {"email": "wendy@example.org", "email_verified": True, "name": "Wendy Walker"},
    "victor": {"email": "victor@example.org", "email_verified": False, "name": "Victor, unverified"},
}


def main() -> None:
    """Start the provider, tell the demo of it, and serve until a signal comes."""
    port = free_port()
    people = [word for sub, claims in PEOPLE.items() for word in ("--user-claims", describe(sub, claims))]
    command = [sys.executable, "-m", "oidc_provider_mock", "--port", str(port), *people]
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    quiet = subprocess.DEVNULL
    with subprocess.Popen(command, stdout=quiet, stderr=quiet) as provider:  # noqa: S603 - our own words
        try:
            wait_for(f"http://127.0.0.1:{port}/.well-known/openid-configuration")
            settings = {
                "ENABLE_OAUTH": "true",
                "OAUTH__PROVIDERS__LOCAL__ISSUER": f"http://127.0.0.1:{port}",
                "OAUTH__PROVIDERS__LOCAL__LABEL": f"the local provider (as {' or '.join(PEOPLE)})",
                "OAUTH__PROVIDERS__LOCAL__CLIENT_ID": "demo",
                "OAUTH__PROVIDERS__LOCAL__CLIENT_SECRET": "demo-secret",
            }
            os.environ.update({f"REGSTACK_{name}": value for name, value in settings.items()})
            sys.argv = ["regstack", "serve", "--demo", *sys.argv[1:]]
            run()
        finally:
            provider.terminate()


def describe(sub: str, claims: dict[str, object]) -> str:
    """Write a person down as the provider reads it."""
    return json.dumps({"sub": sub, **claims})


def free_port() -> int:
    """Give a port of the loopback address that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(url: str) -> None:
    """Wait until the provider answers.

    Raises:
        SystemExit: it does not, within the deadline.
    """
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end:
        try:
            with urlopen(url, timeout=5):  # noqa: S310 - loopback
                return
        except (URLError, OSError):
            time.sleep(0.1)
    sys.exit(f"the local OpenID provider did not answer within {START_SECONDS} seconds; try again")


if __name__ == "__main__":
    main()
