"""What goes wrong by a user's doing: one sentence and no traceback."""

import sys
from collections.abc import Callable


class UserError(Exception):
    """A sentence for the user: what was tried, on what, and what to do."""


def report(program: str, main: Callable[[], int]) -> int:
    """Runs `main` and turns what a user can cause into a sentence. Returns the exit status: 0 done,
    1 failed, 130 interrupted; argparse itself ends with 2 on wrong usage."""
    try:
        return main()
    except UserError as error:
        print(f"{program}: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        name = f"{error.filename}: " if error.filename else ""
        print(f"{program}: {name}{error.strerror or error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"{program}: stopped", file=sys.stderr)
        return 130
