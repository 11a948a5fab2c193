"""Addresses of what can be shown, for programs."""

from survey_site.access.rest.members import members_of
from survey_site.access.rest.routes import at
from survey_site.stimuli.rest.image_sets import ImageSetMembers, ImageSetsView, ImagesView
from survey_site.stimuli.rest.iris import IRIsView
from survey_site.stimuli.rest.jobs import JobsView
from survey_site.stimuli.rest.networks import NetworkMembers, NetworksView
from survey_site.stimuli.rest.recipes import RecipesView
from survey_site.stimuli.rest.workers import WorkersView

NETWORK, IMAGE_SET, JOB, IRI = (
    "networks/<slug:slug>/",
    "image-sets/<slug:slug>/",
    "jobs/<int:job_id>/",
    "iris/<uuid:iri_id>/",
)

urlpatterns = [
    at("networks/", NetworksView, "rest-networks", get="list", post="create"),
    at(NETWORK, NetworksView, "rest-network", get="retrieve", patch="partial_update"),
    at(f"{NETWORK}layers/", NetworksView, "rest-layers", get="layers"),
    *members_of(NETWORK, NetworkMembers, "rest-network"),
    at("image-sets/", ImageSetsView, "rest-image-sets", get="list", post="create"),
    at(IMAGE_SET, ImageSetsView, "rest-image-set", get="retrieve", patch="partial_update"),
    at(f"{IMAGE_SET}images/", ImagesView, "rest-images", get="list", post="create"),
    *members_of(IMAGE_SET, ImageSetMembers, "rest-image-set"),
    at("recipes/", RecipesView, "rest-recipes", get="list", post="create"),
    at("recipes/<slug:sha256>/", RecipesView, "rest-recipe", get="retrieve"),
    at("jobs/", JobsView, "rest-jobs", get="list", post="create"),
    at(JOB, JobsView, "rest-job", get="retrieve", patch="partial_update"),
    at(f"{JOB}pause/", JobsView, "rest-job-pause", post="pause"),
    at(f"{JOB}resume/", JobsView, "rest-job-resume", post="resume"),
    at(f"{JOB}cancel/", JobsView, "rest-job-cancel", post="cancel"),
    at("iris/", IRIsView, "rest-iris", get="list"),
    at(IRI, IRIsView, "rest-iri", get="retrieve"),
    at(f"{IRI}<slug:kind>.png", IRIsView, "rest-iri-image", get="image"),
    at("workers/", WorkersView, "rest-workers", get="list"),
    at("workers/<str:name>/", WorkersView, "rest-worker", get="retrieve"),
]
