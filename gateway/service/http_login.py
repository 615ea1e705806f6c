"""How the gateway says who it is to a server: a bearer token that is given, or one that is asked for.

Client credentials follow RFC 6749, section 4.4; a client with a key proves itself by a signed assertion
(RFC 7523), as SMART backend services do: RS384 or ES384, valid for five minutes, each used once.
"""

import json
import os
import time
import uuid
from base64 import b64encode
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote_plus

import aiohttp
import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from gateway.errors import TransportError
from gateway.service.destinations import LoginTable

_ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_ASSERTION_S = 300
_EARLY_S = 30.0
_SHORTEST_LIFE_S = 5.0
_LARGEST_ANSWER = 65536


@dataclass(slots=True)
class Login:
    """Gives the token to send, and asks for another when one is used up or refused.

    Parameters
    ----------
    table : LoginTable
    """

    table: LoginTable
    _token: str = field(default="", repr=False)
    _until: float = 0.0

    async def token(self, session: aiohttp.ClientSession) -> str:
        """A token that holds for now.

        Raises
        ------
        OSError, TransportError
            There is none: a secret is missing, or the authorisation server gives none.
        """
        if self.table.token_url is None:
            return _secret(self.table.token_env, self.table.token_file)
        if time.monotonic() >= self._until:
            await self._ask(session, self.table.token_url)
        return self._token

    def refused(self) -> None:
        """The server does not take the token any more."""
        self._until = 0.0

    async def _ask(self, session: aiohttp.ClientSession, url: str) -> None:
        form, headers = self._proof(url)
        try:
            async with session.post(url, data=form, headers=headers, allow_redirects=False) as response:
                answer = await _json(response)
        except aiohttp.ClientError as error:
            raise ConnectionError(f"login: {type(error).__name__} from the token_url") from error
        token, life_s = answer.get("access_token"), answer.get("expires_in", 0)
        if not isinstance(token, str) or not _can_be_sent(token):
            # the error code is one of a short list (RFC 6749, 5.2), and no word of the server's
            code = answer.get("error")
            said = code if isinstance(code, str) and code.isidentifier() else ""
            raise TransportError(f"login: no token, HTTP {response.status} {said}".rstrip())
        self._token = token
        seconds = float(life_s) if isinstance(life_s, int) else 0.0
        self._until = time.monotonic() + max(seconds - _EARLY_S, _SHORTEST_LIFE_S)

    def _proof(self, url: str) -> tuple[dict[str, str], dict[str, str]]:
        client_id = self.table.client_id or ""
        form = {"grant_type": "client_credentials"}
        if self.table.scope:
            form["scope"] = self.table.scope
        if self.table.key_file is None:
            secret = _secret(self.table.secret_env, self.table.secret_file)
            pair = f"{quote_plus(client_id)}:{quote_plus(secret)}".encode()
            return form, {"Authorization": f"Basic {b64encode(pair).decode()}"}
        assertion = signed_assertion(client_id, url, self.table.key_file, self.table.key_id)
        return form | {"client_assertion_type": _ASSERTION_TYPE, "client_assertion": assertion}, {}


def signed_assertion(client_id: str, audience: str, key_file: Path, key_id: str | None) -> str:
    """What proves for five minutes that the holder of that key is this client.

    Raises
    ------
    TransportError
        There is no key in the file that could sign.
    """
    key = _key(key_file)
    now = int(time.time())
    claims = {
        "iss": client_id,
        "sub": client_id,
        "aud": audience,
        "jti": str(uuid.uuid4()),
        "iat": now,
        "exp": now + _ASSERTION_S,
    }
    algorithm = "RS384" if isinstance(key, rsa.RSAPrivateKey) else "ES384"
    return jwt.encode(claims, key, algorithm=algorithm, headers={"kid": key_id} if key_id else None)


def _key(file: Path) -> rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey:
    try:
        key = load_pem_private_key(file.read_bytes(), password=None)
    except OSError as error:
        raise TransportError(f"login: {file}: {error.strerror}; correct key_file or its rights") from error
    except (ValueError, TypeError) as error:
        raise TransportError(f"login: {file}: no PEM key without passphrase; give one") from error
    if isinstance(key, rsa.RSAPrivateKey):
        return key
    if isinstance(key, ec.EllipticCurvePrivateKey) and isinstance(key.curve, ec.SECP384R1):
        return key
    raise TransportError(f"login: {file}: neither an RSA key nor one of P-384; give one of them")


def _secret(variable: str | None, file: Path | None) -> str:
    secret = os.environ.get(variable, "").strip() if variable else ""
    if file is not None:
        try:
            secret = file.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise TransportError(f"login: {file} cannot be read; correct its path or its rights") from error
    if not _can_be_sent(secret):
        where = f"the environment variable {variable}" if variable else str(file)
        raise TransportError(f"login: no secret of one line in {where}; set it for the service")
    return secret


def _can_be_sent(secret: str) -> bool:
    """In a header."""
    return bool(secret) and secret.isascii() and secret.isprintable()


async def _json(response: aiohttp.ClientResponse) -> dict[str, object]:
    body = await response.content.read(_LARGEST_ANSWER)
    try:
        found = json.loads(body)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
