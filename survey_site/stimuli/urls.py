"""Addresses of the stimuli room, all for staff."""

from django.urls import path

from survey_site.stimuli import api, views

urlpatterns = [
    path("api/workers/", api.WorkersView.as_view(), name="api-workers"),
    path("api/workers/<str:name>/", api.WorkerView.as_view(), name="api-worker"),
    path("api/jobs/", api.JobsView.as_view(), name="api-jobs"),
    path("api/jobs/<int:job_id>/", api.JobView.as_view(), name="api-job"),
    path("admin/progress/", views.progress, name="admin-progress"),
]
