"""Settings, from environment variables alone (docs/deployment.md has the table)."""

import contextlib
import os
import secrets
from pathlib import Path
from tempfile import NamedTemporaryFile
from urllib.parse import unquote, urlsplit

import dj_database_url
import sentry_sdk
from django.core.exceptions import ImproperlyConfigured

from survey_site.environment import (
    env_bool,
    env_choice,
    env_int,
    env_list,
    env_path,
    env_str,
    env_url,
    env_urls,
)
from survey_site.logs import logging_settings
from survey_site.stack.connection import embedded_connection

BASE_DIR = Path(__file__).resolve().parent.parent
VAR_DIR = env_path("VAR_DIR", BASE_DIR / "var")
MEDIA_ROOT = env_path("MEDIA_ROOT", VAR_DIR / "media")
STATIC_ROOT = env_path("STATIC_ROOT", VAR_DIR / "static")

DEBUG = env_bool("DEBUG", False)
PUBLIC_URL = env_url("PUBLIC_URL", "http://127.0.0.1:8000", schemes=["http", "https"]).rstrip("/")
ALLOWED_HOSTS = env_list("ALLOWED_HOSTS", ["localhost", "127.0.0.1", "[::1]"])
CSRF_TRUSTED_ORIGINS = env_urls("CSRF_TRUSTED_ORIGINS", schemes=["http", "https"])


def secret_key() -> str:
    """SECRET_KEY, or one made once for this VAR_DIR: there is no default that two labs could share."""
    given = env_str("SECRET_KEY")
    if given:
        return given
    file = VAR_DIR / "secret_key"
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        with NamedTemporaryFile("w", dir=file.parent) as draft:  # created readable by its owner alone
            draft.write(secrets.token_urlsafe(50))
            draft.flush()
            with contextlib.suppress(FileExistsError):  # another process of this stack made it first
                os.link(draft.name, file)
    return file.read_text()


SECRET_KEY = secret_key()

# Databases and broker -----------------------------------------------------------------------------------
_embedded = embedded_connection(VAR_DIR)
DATABASE_URL = env_str("DATABASE_URL", _embedded.database_url if _embedded else "")
CELERY_BROKER_URL = env_url(
    "CELERY_BROKER_URL", _embedded.broker_url if _embedded else "", schemes=["redis", "rediss"]
)
# Commands that need no database (score_csv, checks) run before any was ever started.
NOT_STARTED_URL = "postgres://not-started@127.0.0.1:1/start-the-stack-with-make-up-or-set-DATABASE_URL"
try:
    _database = dj_database_url.parse(
        DATABASE_URL or NOT_STARTED_URL, conn_max_age=60, conn_health_checks=True
    )
except (dj_database_url.ParseError, dj_database_url.UnknownSchemeError, ValueError) as error:
    raise ImproperlyConfigured(f"DATABASE_URL cannot be read: {error}") from None
if _database["ENGINE"] != "django.db.backends.postgresql":
    raise ImproperlyConfigured("DATABASE_URL must be a postgres:// address; only PostgreSQL is supported")
# A server that is gone without a word must not hold a process, or a worker's heartbeat, for ever.
_database["OPTIONS"] = {
    "connect_timeout": 5,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 20_000,
} | _database.get("OPTIONS", {})
DATABASES = {"default": _database}

CELERY_TASK_DEFAULT_QUEUE = "housekeeping"
CELERY_TASK_IGNORE_RESULT = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None  # a worker waits for its broker as long as it takes
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
# The broker is a doorbell: a ring that cannot be delivered is rung again by the sweep, so never wait long.
CELERY_BROKER_TRANSPORT_OPTIONS = {"socket_connect_timeout": 3, "socket_timeout": 30, "max_retries": 1}
CELERY_TASK_PUBLISH_RETRY = False

IRI_CHUNK_SIZE = env_int("IRI_CHUNK_SIZE", 8, minimum=1)
IRI_LEASE_SECONDS = env_int("IRI_LEASE_SECONDS", 60, minimum=5)
IRI_SWEEP_SECONDS = env_int("IRI_SWEEP_SECONDS", 15, minimum=1)
RESULTS_SECONDS = env_int("RESULTS_SECONDS", 5, minimum=1)
# Exports of more answers are written in the background, and kept for some days.
EXPORT_BACKGROUND_ROWS = env_int("EXPORT_BACKGROUND_ROWS", 200_000)
EXPORT_DAYS = env_int("EXPORT_DAYS", 7, minimum=1)
IRI_MAX_ATTEMPTS = env_int("IRI_MAX_ATTEMPTS", 3, minimum=1)
IRI_BACKOFF_SECONDS = env_int("IRI_BACKOFF_SECONDS", 10)
IRI_CHECKPOINT_SECONDS = env_int("IRI_CHECKPOINT_SECONDS", 30, minimum=1)
CELERY_BEAT_SCHEDULE = {
    "ring-for-work-without-a-lease": {"task": "stimuli.sweep", "schedule": float(IRI_SWEEP_SECONDS)},
    "ring-for-waiting-observers": {
        "task": "analysis.sweep_observations",
        "schedule": float(IRI_SWEEP_SECONDS),
    },
    "flag-sessions-that-have-moved": {
        "task": "analysis.refresh_flags",
        "schedule": float(RESULTS_SECONDS),
        "options": {"expires": RESULTS_SECONDS},
    },
    "ring-for-waiting-bots": {"task": "participation.sweep_pilots", "schedule": float(IRI_SWEEP_SECONDS)},
    "tell-recruiters-what-was-decided": {
        "task": "participation.tell_recruiters",
        "schedule": float(IRI_SWEEP_SECONDS),
        "options": {"expires": IRI_SWEEP_SECONDS},
    },
    "ring-for-waiting-exports": {
        "task": "analysis.sweep_exports",
        "schedule": float(IRI_SWEEP_SECONDS),
        "options": {"expires": IRI_SWEEP_SECONDS},
    },
    "compute-results-that-have-changed": {
        "task": "analysis.refresh_results",
        "schedule": float(RESULTS_SECONDS),
        "options": {"expires": RESULTS_SECONDS},  # a long computation leaves no queue behind it
    },
}

# Uploads: our own limits, below Pillow's warning (docs/method.md).
IMAGE_MAX_PIXELS = env_int("IMAGE_MAX_PIXELS", 40_000_000, minimum=1)
IMAGE_MAX_BYTES = env_int("IMAGE_MAX_BYTES", 40_000_000, minimum=1)
ARCHIVE_MAX_ENTRIES = env_int("ARCHIVE_MAX_ENTRIES", 20_000, minimum=1)
ARCHIVE_MAX_UNPACKED_BYTES = env_int("ARCHIVE_MAX_UNPACKED_BYTES", 8_000_000_000, minimum=1)
ARCHIVE_MAX_RATIO = env_int("ARCHIVE_MAX_RATIO", 100, minimum=1)
# One request of somebody on the staff, who alone may send files. Large files go to a disk as they come.
UPLOAD_MAX_BYTES = env_int("UPLOAD_MAX_BYTES", 4_000_000_000, minimum=2_621_440)
DATA_UPLOAD_MAX_NUMBER_FILES = env_int("UPLOAD_MAX_FILES", 2000, minimum=1)
FILE_UPLOAD_HANDLERS = [
    "survey_site.stimuli.upload_handler.LimitedUploadHandler",
    "django.core.files.uploadhandler.MemoryFileUploadHandler",
    "django.core.files.uploadhandler.TemporaryFileUploadHandler",
]

# Recruiters (docs/recruiters.md).
PROLIFIC_API_URL = env_url("PROLIFIC_API_URL", "https://api.prolific.com", schemes=["http", "https"])
PROLIFIC_API_TOKEN = env_str("PROLIFIC_API_TOKEN")
PROLIFIC_WEBHOOK_SECRET = env_str("PROLIFIC_WEBHOOK_SECRET")

# Mail (docs/deployment.md): none is written or sent without a server.
EMAIL_URL = env_url("EMAIL_URL", schemes=["smtp", "smtp+tls", "smtps"])
_mail = urlsplit(EMAIL_URL)
EMAIL_HOST = _mail.hostname or ""
EMAIL_PORT = _mail.port or {"smtps": 465, "smtp+tls": 587}.get(_mail.scheme, 25)
EMAIL_HOST_USER, EMAIL_HOST_PASSWORD = unquote(_mail.username or ""), unquote(_mail.password or "")
EMAIL_USE_TLS, EMAIL_USE_SSL = _mail.scheme == "smtp+tls", _mail.scheme == "smtps"
EMAIL_TIMEOUT = 20
DEFAULT_FROM_EMAIL = env_str("EMAIL_FROM", f"IRISurvey <irisurvey@{urlsplit(PUBLIC_URL).hostname}>")
if EMAIL_URL:
    CELERY_BEAT_SCHEDULE["tell-people-by-mail"] = {"task": "console.notify", "schedule": 60.0}

# Application --------------------------------------------------------------------------------------------
INSTALLED_APPS = [
    "survey_site.console",  # before unfold: its admin/index.html is the overview
    "unfold",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "rest_framework",
    "simple_history",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "survey_site.access",
    "survey_site.stimuli",
    "survey_site.studies",
    "survey_site.participation",
    "survey_site.analysis",
]

MIDDLEWARE = [
    "survey_site.request_ids.request_id_middleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "simple_history.middleware.HistoryRequestMiddleware",
]

ROOT_URLCONF = "survey_site.urls"
WSGI_APPLICATION = "survey_site.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "frontend" / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
LOGIN_URL, LOGIN_REDIRECT_URL = "admin:login", "admin:index"

LANGUAGE_CODE = "en-gb"
TIME_ZONE = "UTC"
USE_TZ = True

STATIC_URL = "static/"
STATICFILES_DIRS = [directory for directory in [BASE_DIR / "frontend" / "dist"] if directory.is_dir()]
MEDIA_URL = "media/"  # never served: every image goes through a view that knows who may see it
# Images, weights and checkpoints: files under MEDIA_ROOT, or objects of a bucket.
IMAGE_BUCKET = env_str("IMAGE_BUCKET")
BUCKET_STORAGE = {
    "BACKEND": "storages.backends.s3.S3Storage",
    "OPTIONS": {
        "bucket_name": IMAGE_BUCKET,
        "location": env_str("IMAGE_BUCKET_PREFIX"),
        "endpoint_url": env_url("IMAGE_BUCKET_ENDPOINT_URL", schemes=["http", "https"]) or None,
        "region_name": env_str("IMAGE_BUCKET_REGION") or None,
        "default_acl": None,
        "file_overwrite": False,
        "max_memory_size": 10_000_000,  # an opened object that is larger waits on a disk
    },
}
STORAGES = {
    "default": BUCKET_STORAGE
    if IMAGE_BUCKET
    else {"BACKEND": "survey_site.stimuli.storage.WholeFileStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}
FILE_UPLOAD_PERMISSIONS = 0o640

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["survey_site.participation.authentication.SessionTokenAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["survey_site.participation.payloads.ShallowJSONParser"],
    "EXCEPTION_HANDLER": "survey_site.participation.api_errors.handle",
    "UNAUTHENTICATED_USER": None,
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
}
# The researchers' API says in its own base view what it takes (survey_site/access/rest/views.py).
API_REQUESTS_PER_MINUTE = env_int("API_REQUESTS_PER_MINUTE", 600, minimum=1)
SPECTACULAR_SETTINGS = {
    "TITLE": "IRISurvey",
    "VERSION": "1",
    "OAS_VERSION": "3.1.1",
    "DESCRIPTION": (
        "Everything that a researcher does in the admin, for programs. Lists come in pages whose `next` is "
        "the address of the following one; every refusal is an object with `code`, `detail` and `errors`. "
        "docs/api.md has the table of codes and an example."
    ),
    "SERVE_INCLUDE_SCHEMA": False,
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "COMPONENT_SPLIT_REQUEST": True,
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "SWAGGER_UI_SETTINGS": {"deepLinking": True, "persistAuthorization": False, "docExpansion": "none"},
    "DISABLE_ERRORS_AND_WARNINGS": False,
    "ENUM_GENERATE_CHOICE_DESCRIPTION": False,
    "ENUM_NAME_OVERRIDES": {
        "JobStatus": "survey_site.stimuli.rest.job_shapes.STATUSES",
        "IRIStatus": "survey_site.stimuli.models.IRIStatus",
        "StudyStatus": "survey_site.studies.models.StudyStatus",
    },
    "PREPROCESSING_HOOKS": ["survey_site.access.rest.schema.only_documented"],
}
SIMPLE_HISTORY_REVERT_DISABLED = True  # what was opened is frozen; a row is not set back by a click
DATA_UPLOAD_MAX_MEMORY_SIZE = 2_621_440

# Security -----------------------------------------------------------------------------------------------
SECURE_SSL = env_bool("SECURE_SSL", False)
SECURE_SSL_REDIRECT = SECURE_SSL
SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^readyz$"]  # asked from within, where there is no TLS
SECURE_HSTS_SECONDS = 31_536_000 if SECURE_SSL else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_SSL
SECURE_HSTS_PRELOAD = SECURE_SSL
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if SECURE_SSL else None
SESSION_COOKIE_SECURE = SECURE_SSL
CSRF_COOKIE_SECURE = SECURE_SSL
SESSION_COOKIE_HTTPONLY = True
X_FRAME_OPTIONS = "DENY"
SECURE_REFERRER_POLICY = "same-origin"

LOG_LEVEL = env_choice("LOG_LEVEL", "INFO", ["DEBUG", "INFO", "WARNING", "ERROR"])
LOG_FORMAT = env_choice("LOG_FORMAT", "line", ["line", "json"])
LOGGING = logging_settings(LOG_FORMAT, LOG_LEVEL)
METRICS_TOKEN = env_str("METRICS_TOKEN")
SENTRY_DSN = env_url("SENTRY_DSN", schemes=["http", "https"])
if SENTRY_DSN:
    sentry_sdk.init(dsn=SENTRY_DSN, send_default_pii=False)

UNFOLD = {
    "SITE_TITLE": "IRISurvey",
    "SITE_HEADER": "IRISurvey",
    "SITE_SUBHEADER": "Does this network see as people do?",
    "SITE_SYMBOL": "visibility",
    "SITE_FAVICONS": [
        {"rel": "icon", "type": "image/svg+xml", "href": "survey_site.console.navigation.favicon"}
    ],
    "SHOW_HISTORY": True,
    "SHOW_VIEW_ON_SITE": False,
    "DASHBOARD_CALLBACK": "survey_site.console.dashboard.dashboard_context",
    "SIDEBAR": {"show_search": True, "navigation": "survey_site.console.navigation.sidebar"},
}
