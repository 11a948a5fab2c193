"""`python -m survey_site.stack.demo`, beside the stack: from photographs to an open study."""

import signal
import sys

import django

from survey_site.stack.errors import StackError


def main() -> int:
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(0))  # leaves the terminal as it was
    django.setup()
    from .walk import run_demo

    try:
        run_demo()
    except StackError as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
