"""How gunicorn serves the site: `gunicorn survey_site.wsgi -c python:survey_site.gunicorn_settings`."""

worker_class = "gthread"
# More than there are processors: an answer is acknowledged once it is synced to disk, and those that wait for
# the disk at one time are synced together.
threads = 8
# Participants answer every few seconds. A connection that ends just then costs a new one, or a repeated
# request.
keepalive = 30
graceful_timeout = 10
control_socket_disable = True
