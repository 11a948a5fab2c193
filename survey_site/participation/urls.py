"""Addresses that participants meet."""

from django.urls import path, re_path

from survey_site.participation import api, views, webhooks, withdrawal_views
from survey_site.participation.log_view import session_log

urlpatterns = [
    path("api/sessions/me/log/", session_log, name="api-log"),  # first: every answer asks for it
    path("s/<slug:slug>/", views.survey_page, name="survey-page"),
    re_path(
        r"^images/(?P<presentation>[0-9a-f-]{36})-(?P<place>[ro][0-9]{1,2})-(?P<mac>[0-9a-f]{32})\.png$",
        views.presented_image,
        name="presented-image",
    ),
    path("withdraw/<uuid:session_id>-<slug:mac>/", withdrawal_views.withdrawal_page, name="withdraw"),
    path("api/studies/<slug:slug>/", api.StudyInfo.as_view(), name="api-study"),
    path("api/sessions/", api.Sessions.as_view(), name="api-sessions"),
    path("api/sessions/me/", api.MySession.as_view(), name="api-session"),
    path("api/sessions/me/consent/", api.Consent.as_view(), name="api-consent"),
    path("api/sessions/me/manifest/", api.Manifest.as_view(), name="api-manifest"),
    path("hooks/prolific/", webhooks.ProlificWebhook.as_view(), name="prolific-webhook"),
    path("api/sessions/me/finish/", api.Finish.as_view(), name="api-finish"),
]
