"""Addresses of the stimuli room, all for staff."""

from django.urls import path

from survey_site.stimuli import views

urlpatterns = [path("admin/progress/", views.progress, name="admin-progress")]
