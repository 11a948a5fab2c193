"""A site of a benchmark's own: an embedded database and broker, gone after."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def own_site(name: str) -> Iterator[None]:
    """Inside, Django is set up with servers of its own and the tables are made."""
    from survey_site.stack.embedded import EmbeddedServers

    folder = Path(tempfile.mkdtemp(prefix=f"irisurvey-{name}-"))
    servers = EmbeddedServers(folder)
    try:
        connection = servers.start()
        os.environ |= {
            "DJANGO_SETTINGS_MODULE": "survey_site.settings",
            "DATABASE_URL": connection.database_url,
            "CELERY_BROKER_URL": connection.broker_url,
            "VAR_DIR": str(folder),
            "SECRET_KEY": "a key for a benchmark",
            "DEBUG": "1",  # static files as they are, so that none need be collected
        }
        import django
        from django.core.management import call_command

        django.setup()
        call_command("migrate", verbosity=0)
        yield
    finally:
        servers.stop()
        shutil.rmtree(folder)
