"""Coming in by an OpenID provider: the code flow with PKCE, state and nonce.

The browser keeps what only it knows of its way (state, nonce, verifier) in a cookie; a code that
comes back without it, or another's, is worth nothing. What the provider says of somebody counts by
its signature, for us, of this very way, and now.
Source: OpenID Connect Core 1.0, 3.1; RFC 7636; RFC 9207.
"""

from __future__ import annotations

import base64
import hmac
import secrets
import threading
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final, NamedTuple
from urllib.parse import parse_qs, urlencode, urlsplit

import msgspec
from authlib.oauth2.rfc6749.parameters import prepare_grant_uri, prepare_token_request
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from deploy.console.provider_calls import ProviderAwayError, get_json, post_form
from deploy.errors import DeployError
from deploy.settings import Settings
from projections.console.side import Departure, NotProvenError, ProvenIdentity, Unproven

_SCOPE: Final = "openid email"
_ALGORITHMS: Final = ("RS256", "RS384", "RS512", "PS256", "ES256", "ES384", "EdDSA")
"""Those with a key of the provider's own: never one that whoever knows our secret could sign by."""
_FRESH: Final = timedelta(hours=1)
_LEEWAY_SECONDS: Final = 60
_BITS: Final = 32
_FIELDS_MAX: Final = 20
_WELL_KNOWN: Final = "/.well-known/openid-configuration"


class _Way(msgspec.Struct, frozen=True):
    """What a browser keeps while it is with the provider."""

    state: str
    nonce: str
    verifier: str


class _Provider(msgspec.Struct, frozen=True):
    """What a provider says of itself (OpenID Connect Discovery 1.0, 3)."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    token_endpoint_auth_methods_supported: tuple[str, ...] = ("client_secret_basic",)


class _Known(NamedTuple):
    provider: _Provider
    keys: KeySet
    since: datetime


class BadOidcSecretError(DeployError):
    """The file with our secret for the provider cannot be read."""

    def __init__(self, path: str, error: OSError) -> None:
        super().__init__(f"oidc_client_secret_file: cannot read {path}: {error.strerror or error}")


class OidcProvider:
    """The provider that the settings name; asked when somebody comes."""

    def __init__(self, settings: Settings, now: Callable[[], datetime]) -> None:
        self.issuer, self._client_id = settings.oidc_issuer, settings.oidc_client_id
        self.name = urlsplit(self.issuer).hostname or self.issuer
        self._secret = _read_secret(settings.oidc_client_secret_file)
        self._now = now
        self._turn = threading.Lock()
        self._kept: _Known | None = None

    def depart(self, back: str) -> Departure:
        """Return the way to the provider, from which browsers come back to *back*.

        Raises:
            NotProvenError: If the provider is away.
        """
        way = _Way(*(secrets.token_urlsafe(_BITS) for _ in range(3)))
        address = prepare_grant_uri(
            self._known().provider.authorization_endpoint,
            self._client_id,
            "code",
            redirect_uri=back,
            scope=_SCOPE,
            state=way.state,
            nonce=way.nonce,
            code_challenge=create_s256_code_challenge(way.verifier),
            code_challenge_method="S256",
        )
        return Departure(address, base64.urlsafe_b64encode(msgspec.json.encode(way)).decode())

    def arrive(self, back: str, query: str, kept: str) -> ProvenIdentity:
        """Return who came back with *query* to a browser that *kept* something.

        Raises:
            NotProvenError: If nobody is proven by that, or the provider is away.
        """
        way = _way_of(kept)
        try:
            said = parse_qs(query, max_num_fields=_FIELDS_MAX)
        except ValueError as error:
            raise NotProvenError(Unproven.REFUSED) from error
        state, issuer = (said.get(name, [""])[0] for name in ("state", "iss"))
        if not hmac.compare_digest(state.encode(), way.state.encode()):
            raise NotProvenError(Unproven.OTHER_WAY)
        if issuer and issuer != self.issuer:
            raise NotProvenError(Unproven.OTHER_PROVIDER)
        code = said.get("code", [""])[0]
        if not code:
            raise NotProvenError(Unproven.REFUSED)
        return self._proven(self._token(code, way, back), way)

    def _token(self, code: str, way: _Way, back: str) -> str:
        """Return the ID token that the provider gives for a code."""
        provider = self._known().provider
        headers: dict[str, str] = {}
        more = {"code": code, "code_verifier": way.verifier}
        methods = provider.token_endpoint_auth_methods_supported
        if self._secret and "client_secret_basic" in methods:
            pair = urlencode([("", self._client_id)])[1:], urlencode([("", self._secret)])[1:]
            basic = base64.b64encode(":".join(pair).encode()).decode()
            headers["Authorization"] = f"Basic {basic}"
        else:
            more["client_id"] = self._client_id
            if self._secret:
                more["client_secret"] = self._secret
        body = prepare_token_request("authorization_code", "", redirect_uri=back, **more)
        try:
            answer = post_form(provider.token_endpoint, body, headers)
        except ProviderAwayError as error:
            raise NotProvenError(Unproven.AWAY) from error
        token = answer.get("id_token")
        if not isinstance(token, str):
            raise NotProvenError(Unproven.NO_TOKEN)
        return token

    def _proven(self, token: str, way: _Way) -> ProvenIdentity:
        """Return who an ID token is of (OpenID Connect Core 1.0, 3.1.3.7)."""
        registry = jwt.JWTClaimsRegistry(
            now=lambda: int(self._now().timestamp()),
            leeway=_LEEWAY_SECONDS,
            iss={"essential": True, "value": self.issuer},
            aud={"essential": True, "value": self._client_id},
            nonce={"essential": True, "value": way.nonce},
            sub={"essential": True},
            exp={"essential": True},
            iat={"essential": True},
        )
        try:
            claims = self._decoded(token)
            registry.validate(claims)
        except (JoseError, ValueError, TypeError) as error:
            raise NotProvenError(Unproven.UNFIT_TOKEN) from error
        parties = claims["aud"] if isinstance(claims["aud"], list) else [claims["aud"]]
        authorized = claims.get("azp", self._client_id if len(parties) == 1 else None)
        if authorized != self._client_id:
            raise NotProvenError(Unproven.UNFIT_TOKEN)
        subject, email = claims["sub"], claims.get("email")
        if not isinstance(subject, str) or not 0 < len(subject) <= 255:  # noqa: PLR2004 - Core, 2
            raise NotProvenError(Unproven.NOBODY)
        is_verified = claims.get("email_verified") is True and isinstance(email, str)
        return ProvenIdentity(self.issuer, subject, str(email) if is_verified else "")

    def _decoded(self, token: str) -> dict[str, Any]:
        """Return the claims of a token; a key that we do not know yet may be a new one."""
        try:
            return jwt.decode(token, self._known().keys, algorithms=_ALGORITHMS).claims
        except (JoseError, ValueError):
            keys = self._known(is_new=True).keys
            return jwt.decode(token, keys, algorithms=_ALGORITHMS).claims

    def _known(self, *, is_new: bool = False) -> _Known:
        """Return what the provider says of itself, with its keys, at most an hour old."""
        with self._turn:
            kept, now = self._kept, self._now()
            # A stranger's tokens make us ask no more than once a minute.
            fresh = timedelta(minutes=1) if is_new else _FRESH
            if kept is not None and now - kept.since < fresh:
                return kept
            try:
                said = get_json(self.issuer.rstrip("/") + _WELL_KNOWN)
                provider = msgspec.convert(said, _Provider)
                if provider.issuer != self.issuer:
                    raise NotProvenError(Unproven.OTHER_NAME)
                keys = KeySet.import_key_set(_key_set(get_json(provider.jwks_uri)))
            except ProviderAwayError as error:
                raise NotProvenError(Unproven.AWAY) from error
            except (msgspec.ValidationError, JoseError, ValueError, TypeError) as error:
                raise NotProvenError(Unproven.UNREADABLE) from error
            self._kept = _Known(provider, keys, now)
            return self._kept


def provider_of(settings: Settings, now: Callable[[], datetime]) -> OidcProvider | None:
    """Return the provider that the settings name, None where they name none."""
    return OidcProvider(settings, now) if settings.oidc_issuer else None


def _way_of(kept: str) -> _Way:
    try:
        return msgspec.json.decode(base64.urlsafe_b64decode(kept), type=_Way)
    except (ValueError, msgspec.DecodeError) as error:
        raise NotProvenError(Unproven.NO_WAY) from error


def _key_set(said: Mapping[str, Any]) -> Any:  # noqa: ANN401 - joserfc's own
    return {"keys": said["keys"]} if isinstance(said.get("keys"), list) else {"keys": []}


def _read_secret(path: str) -> str:
    try:
        return Path(path).read_text("utf-8").strip() if path else ""
    except OSError as error:
        raise BadOidcSecretError(path, error) from error
