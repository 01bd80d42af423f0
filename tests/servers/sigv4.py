"""Amazon's side of a request: is its signature (Signature Version 4) the one of this secret?"""

from __future__ import annotations

import hashlib
import hmac
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.servers.http_stand_in import Asked

AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 Credential=(?P<key>[^/]+)/(?P<day>\d{8})/(?P<region>[^/]+)/(?P<service>[^/]+)"
    r"/aws4_request, SignedHeaders=(?P<signed>[a-z0-9;-]+), Signature=(?P<signature>[0-9a-f]{64})"
)


def signed_by(asked: Asked, key_id: str, secret: str, *, region: str, service: str) -> bool:
    """Compute the signature anew, from the request as it came."""
    found = AUTHORIZATION.fullmatch(asked.headers["authorization"])
    assert found is not None
    assert (found["key"], found["region"], found["service"]) == (key_id, region, service)
    assert {"host", "x-amz-date"} <= set(found["signed"].split(";"))
    date = asked.headers["x-amz-date"]
    assert date.startswith(found["day"])
    path, _, query = asked.path.partition("?")
    headers = [f"{name}:{asked.headers[name]}\n" for name in found["signed"].split(";")]
    digest = hashlib.sha256(asked.body).hexdigest()
    canonical = "\n".join([asked.method, path, query, "".join(headers), found["signed"], digest])
    scope = f"{found['day']}/{region}/{service}/aws4_request"
    to_sign = f"AWS4-HMAC-SHA256\n{date}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    key = f"AWS4{secret}".encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    return hmac.compare_digest(hmac.digest(key, to_sign.encode(), "sha256").hex(), found["signature"])
