"""Addresses of the pages that look across rooms, all for staff."""

from django.urls import path

from survey_site.console import (
    export_views,
    health_views,
    image_views,
    link_views,
    live_views,
    metric_views,
    observer_views,
    preview_views,
    status_views,
    views,
)

urlpatterns = [
    path("admin/live/<slug:slug>/", live_views.live, name="live"),
    path("admin/live/<slug:slug>/act/", live_views.act, name="live-act"),
    path("admin/live/<slug:slug>/payments.csv", live_views.payments_csv, name="payments-csv"),
    path("healthz", health_views.healthz, name="healthz"),
    path("readyz", health_views.readyz, name="readyz"),
    path("metrics", metric_views.metrics, name="metrics"),
    path("admin/status/", status_views.status, name="system-status"),
    path("admin/results/<slug:slug>/", views.results, name="results"),
    path("admin/results/<slug:slug>/figures/<slug:name>.svg", views.figure_svg, name="figure-svg"),
    path("admin/results/<slug:slug>/figures/<slug:name>.png", views.figure_png, name="figure-png"),
    path("admin/results/<slug:slug>/figures/<slug:name>.csv", views.figure_csv, name="figure-csv"),
    path("admin/results/<slug:slug>/report.html", views.report_html, name="report-html"),
    path("admin/results/<slug:slug>/report.pdf", views.report_pdf, name="report-pdf"),
    path("admin/results/<slug:slug>/observers/", observer_views.ask_observers, name="ask-observers"),
    path("admin/export/<slug:slug>/", export_views.export, name="export"),
    path("admin/export/<slug:slug>/<str:name>", export_views.download, name="export-download"),
    path("admin/exports/<uuid:export_id>/", export_views.file, name="export-file"),
    path("admin/images/<uuid:image_id>.png", image_views.admin_image, name="admin-image"),
    path("admin/images/<uuid:image_id>/small.webp", image_views.admin_thumbnail, name="admin-thumbnail"),
    path("admin/preview/<slug:slug>/", preview_views.preview, name="preview"),
    path("admin/links/<slug:slug>/", link_views.links, name="single-use-links"),
    path("admin/links/<slug:slug>/links.csv", link_views.links_csv, name="single-use-links-csv"),
]
