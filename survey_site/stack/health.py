"""`python -m survey_site.stack.health web | servers | housekeeping`: exit status 0 if it works.

For containers. An IRI worker runs one task at a time and answers nothing meanwhile; its check is `servers`:
that it reaches the database and the broker without which it could do no work.
"""

import os
import sys
from collections.abc import Callable

import psycopg2
import redis

from .options import StackOptions
from .processes import answers, serves


def servers_answer() -> bool:
    """Whether DATABASE_URL and CELERY_BROKER_URL can be used from here."""
    try:
        psycopg2.connect(os.environ["DATABASE_URL"], connect_timeout=5).close()
        with redis.Redis.from_url(os.environ["CELERY_BROKER_URL"], socket_connect_timeout=5) as client:
            return bool(client.ping())
    except (psycopg2.Error, redis.RedisError) as error:
        sys.stderr.write(f"{error}\n")
        return False


def main(words: list[str]) -> int:
    options = StackOptions.from_environment()
    checks: dict[str, Callable[[], bool]] = {
        "web": lambda: serves(options.port),
        "servers": servers_answer,
        "housekeeping": lambda: answers("housekeeping", options),
    }
    if len(words) != 1 or words[0] not in checks:
        sys.stderr.write(f"name one of: {', '.join(checks)}\n")
        return 2
    return 0 if checks[words[0]]() else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
