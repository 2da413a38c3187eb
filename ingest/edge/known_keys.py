"""Keys that were right once: kept as keyed digests, so that a restart costs no expensive hash.

A digest is bound to the identity and to the declared hash that the key was proven against: once
another password is declared it fits nothing any more. Its key is kept apart from the database, so
that who reads the table alone learns nothing that he could try passwords against.
"""

from __future__ import annotations

import hashlib
import hmac
from collections import OrderedDict
from collections.abc import Mapping
from typing import Final, NamedTuple

from ledger.declared.passwords import key_bytes

REMEMBERED_MAX: Final = 100_000
_DECLARED_BYTES: Final = 16
_DIGEST_BYTES: Final = 32


class Proof(NamedTuple):
    """That a key was right: a mark of the declared hash, and the keyed digest of both."""

    declared: bytes
    digest: bytes


class KnownKeys:
    """The proofs of a server, by identity; those used longest ago go first."""

    def __init__(self, secret: bytes) -> None:
        """Begin without any.

        Args:
            secret: What keys the digests; with another one those of before are worth nothing.
        """
        self._secret = secret
        self._proofs: OrderedDict[str, Proof] = OrderedDict()
        self.unsaved: dict[str, Proof] = {}
        """Proofs that the store does not have yet."""

    @property
    def keyed_by(self) -> str:
        """Which secret these digests were made with; it tells nothing of it."""
        return hashlib.blake2b(b"keyed by", key=self._secret, digest_size=16).hexdigest()

    def load(self, proofs: Mapping[str, Proof]) -> None:
        """Take over what the store has."""
        self._proofs.update(proofs)

    def is_known(self, identity: str, key: bytes, password_hash: str) -> bool | None:
        """Say whether *key* is the one behind *password_hash*; None where that was never proven."""
        proof = self._proofs.get(identity)
        if proof is None or proof.declared != _mark(password_hash):
            return None
        return hmac.compare_digest(proof.digest, self._digest(identity, key, password_hash))

    def remember(self, identity: str, key: bytes, password_hash: str) -> None:
        """Keep that *key* is the one behind *password_hash*."""
        proof = Proof(_mark(password_hash), self._digest(identity, key, password_hash))
        self._proofs[identity] = self.unsaved[identity] = proof
        self._proofs.move_to_end(identity)
        if len(self._proofs) > REMEMBERED_MAX:
            self._proofs.popitem(last=False)

    def _digest(self, identity: str, key: bytes, password_hash: str) -> bytes:
        said = b"\0".join((identity.encode(), password_hash.encode(), key_bytes(key)))
        return hashlib.blake2b(said, key=self._secret, digest_size=_DIGEST_BYTES).digest()


def _mark(password_hash: str) -> bytes:
    return hashlib.blake2b(password_hash.encode(), digest_size=_DECLARED_BYTES).digest()
