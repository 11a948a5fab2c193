"""Addresses of studies and their parts, for programs."""

from survey_site.access.rest.members import members_of
from survey_site.access.rest.routes import at
from survey_site.studies.rest.files import StudyFilesView
from survey_site.studies.rest.parts import (
    ConditionsView,
    IconsView,
    QuestionsView,
    RulesView,
    TextsView,
    VersionsView,
)
from survey_site.studies.rest.studies import RUNS, StudiesView, StudyMembers

STUDY = "studies/<slug:slug>/"
WRITTEN = {"put": "update", "delete": "destroy"}

urlpatterns = [
    at("studies/", StudiesView, "rest-studies", get="list", post="create"),
    at(STUDY, StudiesView, "rest-study", get="retrieve", patch="partial_update", delete="destroy"),
    at(f"{STUDY}readiness/", StudiesView, "rest-study-readiness", get="readiness"),
    *(at(f"{STUDY}{action}/", StudiesView, f"rest-study-{action}", post=action) for action in RUNS),
    at(f"{STUDY}clone/", StudiesView, "rest-study-clone", post="clone"),
    *members_of(STUDY, StudyMembers, "rest-study"),
    at(f"{STUDY}conditions/", ConditionsView, "rest-conditions", get="list", post="create"),
    at(f"{STUDY}conditions/<slug:condition>/", ConditionsView, "rest-condition", get="retrieve", **WRITTEN),
    at(f"{STUDY}texts/", TextsView, "rest-texts", get="list"),
    at(f"{STUDY}texts/<str:language>/", TextsView, "rest-text", get="retrieve", **WRITTEN),
    at(f"{STUDY}questions/", QuestionsView, "rest-questions", get="list"),
    at(f"{STUDY}questions/<str:language>/", QuestionsView, "rest-questions-in", put="update"),
    at(f"{STUDY}exclusion-rules/", RulesView, "rest-rules", get="retrieve", put="update"),
    at(f"{STUDY}icons/", IconsView, "rest-icons", get="list"),
    at(f"{STUDY}icons/<str:label>/", IconsView, "rest-icon", **WRITTEN),
    at(f"{STUDY}versions/", VersionsView, "rest-versions", get="list"),
    at(f"{STUDY}versions/<int:number>/", VersionsView, "rest-version", get="retrieve"),
    at(f"{STUDY}study.<slug:kind>", StudyFilesView, "rest-study-file", get="retrieve"),
    at(f"{STUDY}file/", StudyFilesView, "rest-study-file-put", put="update"),
    at("study-files/", StudyFilesView, "rest-study-files", post="create"),
]
