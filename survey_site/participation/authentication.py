"""A session token in the Authorization header: it works inside a recruiter's iframe, where cookies do not."""

from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from survey_site.logs import note_log_id
from survey_site.participation.models import StudySession
from survey_site.participation.tokens import token_hash

KEYWORD = "Session"


class SessionTokenAuthentication(BaseAuthentication):
    def authenticate(self, request: Request) -> tuple[StudySession, str] | None:
        token = token_of(get_authorization_header(request).decode("latin-1"))
        if token is None:
            return None
        try:
            session = StudySession.objects.get(token_hash=token_hash(token))
        except StudySession.DoesNotExist:
            raise AuthenticationFailed("this session token is not known") from None
        note_log_id("session_id", session.pk)
        return session, token

    def authenticate_header(self, request: Request) -> str:
        return KEYWORD


def token_of(header: str) -> str | None:
    """The token in an Authorization header; None where it holds none of ours."""
    scheme, _, token = header.partition(" ")
    return token.strip() if scheme.lower() == KEYWORD.lower() else None
