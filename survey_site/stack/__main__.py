"""`python -m survey_site.stack up | demo | stop | status`: the whole platform as one command."""

import argparse
import logging
import sys

from .errors import StackError
from .lock import StackLock
from .options import StackOptions


def main() -> int:
    command = _arguments().command
    try:
        options = StackOptions.from_environment()
        if command == "stop":
            return _stop(options)
        if command == "status":
            return _status(options)
        _log_to_terminal_and_file(options)
        return _up(options, with_demo=command == "demo")
    except StackError as error:
        sys.stderr.write(f"error: {error}\n")
        return 1


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m survey_site.stack", description=__doc__)
    parser.add_argument("command", choices=["up", "demo", "stop", "status"])
    return parser.parse_args()


def _up(options: StackOptions, *, with_demo: bool) -> int:
    from .processes import python_child
    from .supervisor import Supervisor

    companion = (
        python_child("demo", ["-m", "survey_site.stack.demo"], options, log=None) if with_demo else None
    )
    return Supervisor(options).run(companion)


def _stop(options: StackOptions) -> int:
    from .supervisor import stop_running

    pid = stop_running(options.var_dir)
    sys.stdout.write(f"stopped (process {pid})\n" if pid else f"nothing runs on {options.var_dir}\n")
    return 0


def _status(options: StackOptions) -> int:
    """Exit status 0 if the stack runs, as `systemctl status` has it."""
    pid = StackLock(options.var_dir).holder()
    state = f"runs on {options.var_dir} (process {pid})" if pid else f"nothing runs on {options.var_dir}"
    sys.stdout.write(f"{state}\n")
    return 0 if pid else 3


def _log_to_terminal_and_file(options: StackOptions) -> None:
    terminal = logging.StreamHandler(sys.stdout)
    terminal.setFormatter(logging.Formatter("%(message)s"))
    path = options.log("stack")
    path.parent.mkdir(parents=True, exist_ok=True)
    file = logging.FileHandler(path)
    file.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    logger = logging.getLogger("survey_site.stack")
    logger.setLevel(logging.INFO)
    for handler in (terminal, file):
        logger.addHandler(handler)


if __name__ == "__main__":
    sys.exit(main())
