"""Sign in with Apple."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey

from regstack.errors import ConfigurationError
from regstack.models.line import one_line
from regstack.oauth.claims import MAX_NAME
from regstack.oauth.oidc import OidcProvider
from regstack.oauth.strict_json import read_json

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from regstack.config.oauth import OAuthProviderConfig
    from regstack.oauth.account import ExternalAccount

SECRET_SECONDS = 300
"""Life of a signed client secret; Apple takes up to six months."""

MAX_USER = 4096


class AppleProvider(OidcProvider):
    """Where the client's secret is a signature, the answer a POST, and the name told once.

    The name comes through the browser, beside the code and unsigned, at the first sign-in alone: it
    is what the person wants to be called, and no more. The address is read from the ID token.
    """

    default_label = "Apple"
    default_issuer = "https://appleid.apple.com"
    default_scopes = "openid email name"
    auth_method = "client_secret_post"

    def _client_secret(self, config: OAuthProviderConfig) -> Callable[[], str]:
        setting = f"oauth.providers.{self.name}.private_key"
        text = config.private_key.get_secret_value() if config.private_key else ""
        try:
            # A key in one line of the environment has its line ends written out.
            key = ECKey.import_key(text.replace("\\n", "\n").strip().encode())
        except (JoseError, ValueError, TypeError):
            raise ConfigurationError(f"{setting} is not the text of a .p8 file") from None
        if key.curve_name != "P-256" or not key.is_private:
            raise ConfigurationError(f"{setting} is not a private key of the curve P-256")

        def sign() -> str:
            now = int(self._clock.now().timestamp())
            header = {"alg": "ES256", "kid": config.key_id}
            claims = {
                "iss": config.team_id,
                "iat": now,
                "exp": now + SECRET_SECONDS,
                "aud": self._issuer,
                "sub": config.client_id,
            }
            return jwt.encode(header, claims, key, algorithms=["ES256"])

        return sign

    def _more_parameters(self) -> dict[str, str]:
        # Apple answers with a name or an address by POST alone.
        return {"response_mode": "form_post"}

    def _says_verified(self, claims: dict[str, Any]) -> bool:
        return super()._says_verified(claims) or claims.get("email_verified") == "true"

    def _account(self, claims: dict[str, Any], params: Mapping[str, str]) -> ExternalAccount:
        return super()._account({**claims, "name": _name_of(params.get("user", ""))}, params)


def _name_of(user: str) -> str | None:
    try:
        name = read_json(user)["name"] if len(user) <= MAX_USER else {}
        parts = [name.get("firstName"), name.get("lastName")]
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
    return one_line(" ".join(part for part in parts if isinstance(part, str)), MAX_NAME)
