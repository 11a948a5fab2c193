"""What the participants' API refuses, each with a code that programs read and a sentence that people read."""


class ParticipationError(Exception):
    """A refused request. `status` is the HTTP status, `code` stable, `seq` the log entry at fault, if any."""

    status = 400

    def __init__(self, code: str, detail: str, *, seq: int | None = None) -> None:
        super().__init__(detail)
        self.code, self.detail, self.seq = code, detail, seq


class Conflict(ParticipationError):
    """It contradicts what is stored; nothing was changed."""

    status = 409


class Forbidden(ParticipationError):
    """It is not allowed now."""

    status = 403


class Missing(ParticipationError):
    """There is no such thing."""

    status = 404


class NotAuthenticated(ParticipationError):
    """There is no session token, or it is of no session, or no longer."""

    status = 401


class UnknownToken(NotAuthenticated):
    def __init__(self) -> None:
        super().__init__("authentication_failed", "this session token is not known")


class MethodNotAllowed(ParticipationError):
    status = 405


class UnsupportedMediaType(ParticipationError):
    status = 415
