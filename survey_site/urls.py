"""Every address of the site; the rooms' own pages come before the admin, which takes the rest."""

from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView

admin.site.index_title = "Overview"

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="admin:index")),
    path("", include("survey_site.participation.urls")),
    path("", include("survey_site.stimuli.urls")),
    path("", include("survey_site.console.urls")),
    path("admin/", admin.site.urls),
]
