"""What the web processes count, for Prometheus; `console.metric_views` adds what the database knows.

Each process writes to files of its own (gunicorn_settings names their folder), and a scrape adds them up.
"""

from prometheus_client import Counter, Histogram

ANSWERS_STORED = Counter("irisurvey_answers_stored", "Responses stored, one for each reference answered.")
LOG_REQUESTS = Counter("irisurvey_log_requests", "Requests with log entries, by HTTP status.", ["status"])
LOG_SECONDS = Histogram(
    "irisurvey_log_request_seconds",
    "From a request with log entries to its acknowledgement, on the server.",
    buckets=(0.0025, 0.005, 0.01, 0.02, 0.04, 0.08, 0.15, 0.3, 0.6, 1.2, 2.5, 5.0),
)
