"""Secrets that participants hold: session tokens, image addresses, and hashes of recruiters' ids."""

import hashlib
import hmac
import secrets

from django.conf import settings


def new_token() -> str:
    """128 random bits, in the Authorization header of every call of a session."""
    return secrets.token_urlsafe(16)


def token_hash(token: str) -> str:
    """What the database knows of a token."""
    return hashlib.sha256(token.encode()).hexdigest()


def external_id_hash(recruiter: str, external_id: str) -> str:
    """Keyed hash of a recruiter's id: recognises a person without naming them."""
    return _keyed(f"recruiter:{recruiter}:{external_id}")


def image_mac(presentation_id: object, place: str) -> str:
    """Proves that an image address was given out for this presentation and place."""
    return _keyed(f"image:{presentation_id}:{place}")[:32]


def withdrawal_mac(session_id: object) -> str:
    """Proves that a withdrawal link was given out for this session."""
    return _keyed(f"withdraw:{session_id}")[:32]


def _keyed(message: str) -> str:
    return hmac.new(settings.SECRET_KEY.encode(), message.encode(), hashlib.sha256).hexdigest()
