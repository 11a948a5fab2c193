"""Addresses of the stimuli room, all for staff."""

from django.urls import path

from survey_site.stimuli import gallery_views, upload_views, views

UPLOAD = "admin/image-sets/<slug:slug>/uploads/<uuid:upload_id>"

urlpatterns = [
    path("admin/progress/", views.progress, name="admin-progress"),
    path("admin/image-sets/<slug:slug>/images/", gallery_views.gallery, name="image-gallery"),
    path("admin/image-sets/<slug:slug>/upload/", upload_views.upload, name="image-upload"),
    path("admin/image-sets/<slug:slug>/upload/start/", upload_views.start, name="image-upload-start"),
    path(f"{UPLOAD}/", upload_views.report, name="image-upload-report"),
    path(f"{UPLOAD}/files/", upload_views.files, name="image-upload-files"),
    path(f"{UPLOAD}/go-on/", upload_views.go_on, name="image-upload-go-on"),
]
