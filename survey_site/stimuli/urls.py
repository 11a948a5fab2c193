"""Addresses of the stimuli room, all for staff."""

from django.urls import path

from survey_site.stimuli import views

urlpatterns = [
    path("admin/images/<uuid:image_id>.png", views.admin_image, name="admin-image"),
    path("admin/progress/", views.progress, name="admin-progress"),
]
