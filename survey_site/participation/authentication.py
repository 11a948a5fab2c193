"""A session token in the Authorization header: it works inside a recruiter's iframe, where cookies do not."""

from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from survey_site.participation.models import StudySession
from survey_site.participation.tokens import token_hash

KEYWORD = "Session"


class SessionTokenAuthentication(BaseAuthentication):
    def authenticate(self, request: Request) -> tuple[StudySession, str] | None:
        scheme, _, token = get_authorization_header(request).decode("latin-1").partition(" ")
        if scheme.lower() != KEYWORD.lower():
            return None
        try:
            session = StudySession.objects.get(token_hash=token_hash(token.strip()))
        except StudySession.DoesNotExist:
            raise AuthenticationFailed("this session token is not known") from None
        return session, token

    def authenticate_header(self, request: Request) -> str:
        return KEYWORD
