"""Addresses of pilots, for programs."""

from survey_site.access.rest.routes import at
from survey_site.participation.rest.bots import BotsView

BOTS = "studies/<slug:slug>/bots/"

urlpatterns = [
    at(BOTS, BotsView, "rest-bots", get="list", post="create"),
    at(f"{BOTS}<int:run_id>/", BotsView, "rest-bot-run", get="retrieve"),
]
