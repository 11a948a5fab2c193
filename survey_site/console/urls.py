"""Addresses of the pages that look across rooms, all for staff."""

from django.urls import path

from survey_site.console import views

urlpatterns = [
    path("admin/results/<slug:slug>/", views.results, name="results"),
    path("admin/results/<slug:slug>/figure.svg", views.figure_svg, name="figure-svg"),
    path("admin/results/<slug:slug>/responses.csv", views.responses_csv, name="responses-csv"),
    path("admin/results/<slug:slug>/conditions.csv", views.conditions_csv, name="conditions-csv"),
]
