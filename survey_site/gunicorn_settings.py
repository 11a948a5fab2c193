"""How gunicorn serves the site: `gunicorn survey_site.wsgi -c python:survey_site.gunicorn_settings`."""

import atexit
import os
import shutil
from tempfile import mkdtemp
from typing import Any

# Before anything counts: each process counts in files of its own, and a scrape adds them up.
if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = mkdtemp(prefix="irisurvey-metrics-")
    _folder, _owner = os.environ["PROMETHEUS_MULTIPROC_DIR"], os.getpid()
    atexit.register(lambda: shutil.rmtree(_folder, ignore_errors=True) if os.getpid() == _owner else None)

worker_class = "gthread"
# More than there are processors: an answer is acknowledged once it is synced to disk, and those that wait for
# the disk at one time are synced together.
threads = 8
# Participants answer every few seconds. A connection that ends just then costs a new one, or a repeated
# request.
keepalive = 30
graceful_timeout = 10
control_socket_disable = True
# The most that gunicorn bounds: a link with everything that recruiters write into it is shorter.
limit_request_line = 8190


def child_exit(server: Any, worker: Any) -> None:
    """What a process that ended has counted stays counted; what it measured of itself goes."""
    from prometheus_client.multiprocess import mark_process_dead

    mark_process_dead(worker.pid)  # type: ignore[no-untyped-call]
