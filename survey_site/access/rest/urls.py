"""Addresses of the researchers' API that belong to no other room."""

from survey_site.access.rest.me import MeView
from survey_site.access.rest.routes import at

urlpatterns = [at("me/", MeView, "rest-me", get="retrieve")]
