"""Addresses that look across rooms, for programs."""

from survey_site.access.rest.routes import at
from survey_site.console.live_actions import ACTIONS
from survey_site.console.rest.sessions import SessionsView

SESSIONS = "studies/<slug:slug>/sessions/"
SESSION = f"{SESSIONS}<uuid:session_id>/"

urlpatterns = [
    at(SESSIONS, SessionsView, "rest-sessions", get="list"),
    at(SESSION, SessionsView, "rest-session", get="retrieve"),
    *(
        at(f"{SESSION}{name.replace('_', '-')}/", SessionsView, f"rest-session-{name}", post=name)
        for name in ACTIONS
    ),
]
