"""Addresses of numbers and files, for programs."""

from survey_site.access.rest.routes import at
from survey_site.analysis.rest.exports import ExportsView
from survey_site.analysis.rest.results import ResultsView, ScoresView

STUDY = "studies/<slug:slug>/"
EXPORT = f"{STUDY}exports/<uuid:export_id>/"

urlpatterns = [
    at(f"{STUDY}scores/", ScoresView, "rest-scores", get="list"),
    at(f"{STUDY}results/", ResultsView, "rest-results", get="retrieve"),
    at(f"{STUDY}exports/", ExportsView, "rest-exports", get="list", post="create"),
    at(EXPORT, ExportsView, "rest-export", get="retrieve"),
    at(f"{EXPORT}file/", ExportsView, "rest-export-file", get="download"),
    at(f"{STUDY}export/<str:kind>", ExportsView, "rest-export-send", get="send"),
]
