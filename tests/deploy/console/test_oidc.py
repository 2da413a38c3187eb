"""What an OpenID provider says counts by its signature, for us, of this very way, and now."""

from __future__ import annotations

import json
import threading
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from joserfc import jwt
from joserfc.jwk import OctKey, RSAKey

from deploy.console.oidc import BadOidcSecretError, OidcProvider
from deploy.settings import BadSettingError, Settings
from projections.console.side import NotProvenError, ProvenIdentity, Unproven

NOW = datetime(2026, 4, 1, 10, tzinfo=UTC)
BACK = "http://127.0.0.1:8080/console/oidc/back"
KEY = RSAKey.generate_key(2048, {"kid": "one"})
OTHER_KEY = RSAKey.generate_key(2048, {"kid": "one"})


@dataclass
class FakeProvider:
    """A provider that says of somebody what a test wants."""

    url: str = ""
    claims: dict[str, Any] = field(default_factory=dict)
    header: dict[str, Any] = field(default_factory=lambda: {"alg": "RS256", "kid": "one"})
    key: Any = field(default_factory=lambda: KEY)
    challenge: str = ""
    nonce: str = ""
    asked: list[tuple[str, dict[str, str], str]] = field(default_factory=list)
    about: dict[str, Any] = field(default_factory=dict)
    token: str | None = None

    def answer(self, path: str, body: str, authorization: str) -> dict[str, Any]:
        fields = {key: values[0] for key, values in parse_qs(body).items()}
        self.asked.append((path, fields, authorization))
        match path:
            case "/.well-known/openid-configuration":
                return {
                    "issuer": self.url,
                    "authorization_endpoint": f"{self.url}/authorize?tenant=a",
                    "token_endpoint": f"{self.url}/token",
                    "jwks_uri": f"{self.url}/keys",
                    **self.about,
                }
            case "/keys":
                return {"keys": [KEY.as_dict(private=False)]}
            case _:
                hashed = sha256(fields["code_verifier"].encode()).digest()
                assert urlsafe_b64encode(hashed).decode().rstrip("=") == self.challenge
                assert fields["redirect_uri"] == BACK
                now = int(NOW.timestamp())
                said = {
                    "iss": self.url,
                    "aud": "wattledger",
                    "sub": "subject",
                    "iat": now,
                    "exp": now + 300,
                    "nonce": self.nonce,
                }
                said = {k: v for k, v in (said | self.claims).items() if v is not None}
                algorithms = [self.header["alg"]]
                token = jwt.encode(self.header, said, self.key, algorithms=algorithms)
                return {"id_token": self.token or token}


@pytest.fixture
def fake() -> Iterator[FakeProvider]:
    provider = FakeProvider()

    class Handler(BaseHTTPRequestHandler):
        def answered(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
            given = self.headers.get("Authorization") or ""
            content = json.dumps(provider.answer(self.path, body, given)).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = answered  # noqa: N815 - the library's names

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    provider.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield provider
    server.shutdown()
    thread.join()
    server.server_close()


def client_of(fake: FakeProvider, secret: str = "") -> OidcProvider:
    settings = Settings(
        oidc_issuer=fake.url, oidc_client_id="wattledger", oidc_client_secret_file=secret
    )
    return OidcProvider(settings, lambda: NOW)


def come(fake: FakeProvider, client: OidcProvider, **query: str) -> ProvenIdentity:
    """Go, and come back with a code."""
    way = client.depart(BACK)
    asked = {key: values[0] for key, values in parse_qs(urlsplit(way.address).query).items()}
    assert asked["code_challenge_method"] == "S256"
    assert asked["tenant"] == "a"
    assert asked["scope"] == "openid email"
    fake.challenge, fake.nonce = asked["code_challenge"], asked["nonce"]
    said = {"state": asked["state"], "code": "a-code", **query}
    return client.arrive(BACK, "&".join(f"{key}={value}" for key, value in said.items()), way.kept)


def test_who_is_proven_has_a_subject_and_an_address_only_if_it_was_verified(
    fake: FakeProvider,
) -> None:
    client = client_of(fake)
    assert come(fake, client) == (fake.url, "subject", "")
    fake.claims = {"email": "a@example.com", "email_verified": True}
    assert come(fake, client) == (fake.url, "subject", "a@example.com")
    for odd in (False, "true", 1, None):
        fake.claims = {"email": "a@example.com", "email_verified": odd}
        assert come(fake, client).email == ""
    fake.claims = {"aud": ["other", "wattledger"], "azp": "wattledger"}
    assert come(fake, client).subject == "subject"
    # What it says of itself is asked for once an hour.
    assert [path for path, *_ in fake.asked].count("/keys") == 1


BAD_CLAIMS: tuple[dict[str, Any], ...] = (
    {"iss": "https://evil.example"},
    {"iss": None},
    {"aud": "other"},
    {"aud": ["wattledger", "other"]},
    {"aud": ["wattledger", "other"], "azp": "other"},
    {"azp": "other"},
    {"aud": None},
    {"nonce": "another"},
    {"nonce": None},
    {"exp": int(NOW.timestamp()) - 61},
    {"exp": None},
    {"iat": int((NOW + timedelta(hours=1)).timestamp())},
    {"iat": None},
    {"sub": None},
)


@pytest.mark.parametrize("claims", BAD_CLAIMS, ids=str)
def test_a_token_of_another_way_client_time_or_provider_proves_nobody(
    fake: FakeProvider, claims: dict[str, Any]
) -> None:
    fake.claims = claims

    with pytest.raises(NotProvenError) as told:
        come(fake, client_of(fake))

    assert told.value.why is Unproven.UNFIT_TOKEN


@pytest.mark.parametrize("subject", ["", "x" * 256, 7, ["subject"]])
def test_a_subject_is_a_text(fake: FakeProvider, subject: object) -> None:
    fake.claims = {"sub": subject}

    with pytest.raises(NotProvenError):
        come(fake, client_of(fake))


def test_a_signature_is_the_provider_s_own(fake: FakeProvider) -> None:
    client = client_of(fake)
    fake.key = OTHER_KEY
    with pytest.raises(NotProvenError):
        come(fake, client)
    # By a secret that several have, or by none at all.
    fake.key = OctKey.import_key("a secret of ours that is long enough for it")
    fake.header = {"alg": "HS256", "kid": "one"}
    with pytest.raises(NotProvenError):
        come(fake, client)
    for token in ("a.b.c", "eyJhbGciOiJub25lIn0.eyJzdWIiOiJzdWJqZWN0In0.", "x" * 10_000):
        fake.token = token
        with pytest.raises(NotProvenError):
            come(fake, client)


def test_a_way_that_is_not_this_browser_s_leads_nowhere(fake: FakeProvider) -> None:
    client = client_of(fake)
    for query in (
        {"state": "another"},
        {"state": ""},
        {"code": ""},
        {"iss": "https://evil.example"},
    ):
        with pytest.raises(NotProvenError):
            come(fake, client, **query)
    # Whoever comes may write the own cookie, and as many fields as an address holds.
    mine = urlsafe_b64encode(b'{"state": "a", "nonce": "b", "verifier": "c"}').decode()
    with pytest.raises(NotProvenError):
        client.arrive(BACK, "state=a&code=a" + "&x=1" * 30, mine)
    for kept in ("", "x", "{}", urlsafe_b64encode(b'{"state": 1}').decode(), "\u00e4" * 9):
        with pytest.raises(NotProvenError) as told:
            client.arrive(BACK, "state=&code=a", kept)
        assert told.value.why is Unproven.NO_WAY
    assert not [path for path, *_ in fake.asked if path == "/token"]


@pytest.mark.parametrize(
    ("about", "why"),
    [
        ({"issuer": "https://evil.example"}, Unproven.OTHER_NAME),
        ({"token_endpoint": None}, Unproven.UNREADABLE),
        ({"jwks_uri": "http://evil.example/keys"}, Unproven.AWAY),
        ({"jwks_uri": "file:///etc/passwd"}, Unproven.AWAY),
    ],
)
def test_a_provider_that_says_odd_things_of_itself_is_none(
    fake: FakeProvider, about: dict[str, Any], why: Unproven
) -> None:
    fake.about = about

    with pytest.raises(NotProvenError) as told:
        client_of(fake).depart(BACK)

    assert told.value.why is why


def test_a_provider_that_is_away_is_said_to_be() -> None:
    settings = Settings(oidc_issuer="http://127.0.0.1:9", oidc_client_id="wattledger")

    with pytest.raises(NotProvenError) as told:
        OidcProvider(settings, lambda: NOW).depart(BACK)

    assert told.value.why is Unproven.AWAY


def test_the_secret_proves_us_and_is_shown_nowhere(fake: FakeProvider, tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text("a secret:with/odd signs\n")

    come(fake, client_of(fake, str(file)))

    path, fields, authorization = fake.asked[-1]
    assert path == "/token"
    assert authorization.startswith("Basic ")
    assert "secret" not in str(fields)
    with pytest.raises(BadOidcSecretError):
        client_of(fake, str(tmp_path / "nothing"))


@pytest.mark.parametrize(
    "given",
    [
        {"oidc_issuer": "http://login.example", "oidc_client_id": "a"},
        {"oidc_issuer": "login.example", "oidc_client_id": "a"},
        {"oidc_issuer": "https://", "oidc_client_id": "a"},
        {"oidc_issuer": "https://login.example"},
        {"oidc_client_id": "a"},
    ],
)
def test_settings_name_a_provider_that_can_be_asked(given: dict[str, str]) -> None:
    with pytest.raises(BadSettingError):
        Settings(**given)  # type: ignore[arg-type]
