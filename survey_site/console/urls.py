"""Addresses of the pages that look across rooms, all for staff."""

from django.urls import path

from survey_site.console import (
    builder_views,
    export_views,
    image_views,
    link_views,
    live_views,
    observer_views,
    pilot_views,
    preview_views,
    text_views,
    version_views,
    views,
)

urlpatterns = [
    path("admin/live/<slug:slug>/", live_views.live, name="live"),
    path("admin/live/<slug:slug>/act/", live_views.act, name="live-act"),
    path("admin/live/<slug:slug>/payments.csv", live_views.payments_csv, name="payments-csv"),
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
    path("admin/builder/<slug:slug>/", builder_views.builder, name="builder"),
    path("admin/builder/<slug:slug>/outlook/", builder_views.builder_outlook, name="builder-outlook"),
    path("admin/builder/<slug:slug>/texts/", text_views.texts, name="builder-texts"),
    path("admin/builder/<slug:slug>/texts/preview/", text_views.text_preview, name="builder-text-preview"),
    path("admin/builder/<slug:slug>/pilot/", pilot_views.pilot, name="builder-pilot"),
    path("admin/builder/<slug:slug>/pilot/start/", pilot_views.start_pilot, name="start-pilot"),
    path("admin/builder/<slug:slug>/pilot/bots/", pilot_views.send_bots, name="send-bots"),
    path("admin/versions/<slug:slug>/", version_views.versions, name="versions"),
    path("admin/versions/<slug:slug>/clone/", version_views.clone, name="clone-study"),
    path("admin/versions/<slug:slug>/<slug:status>/", version_views.set_status, name="set-status"),
    path("admin/preview/<slug:slug>/", preview_views.preview, name="preview"),
    path("admin/links/<slug:slug>/", link_views.links, name="single-use-links"),
    path("admin/links/<slug:slug>/links.csv", link_views.links_csv, name="single-use-links-csv"),
]
