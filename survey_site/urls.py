"""Every address of the site; the rooms' own pages come before the admin, which takes the rest."""

from django.contrib import admin
from django.urls import include, path, re_path
from django.views.generic import RedirectView

from survey_site.access.rest.docs import DocsView, SchemaView
from survey_site.access.rest.nowhere import METHODS, NoSuchAddress

admin.site.index_title = "Overview"

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="admin:index")),
    path("", include("survey_site.participation.urls")),
    path("", include("survey_site.stimuli.urls")),
    path("", include("survey_site.console.urls")),
    path("api/v1/", include("survey_site.access.rest.urls")),
    path("api/v1/", include("survey_site.stimuli.rest.urls")),
    path("api/v1/", include("survey_site.studies.rest.urls")),
    path("api/v1/", include("survey_site.participation.rest.urls")),
    path("api/v1/", include("survey_site.analysis.rest.urls")),
    path("api/v1/", include("survey_site.console.rest.urls")),
    re_path("^api/v1/", NoSuchAddress.as_view(dict.fromkeys(METHODS, "refuse")), name="rest-no-such-address"),
    path("api/schema/", SchemaView.as_view(), name="api-schema"),
    path("api/docs/", DocsView.as_view(url_name="api-schema"), name="api-docs"),
    path("admin/", admin.site.urls),
]
