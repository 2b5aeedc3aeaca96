"""How every benchmark begins and ends on the command line."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable


class _Help(argparse.RawDescriptionHelpFormatter):
    """Keeps the line breaks of the description, and shows a default where there is one to show."""

    def _get_help_string(self, action: argparse.Action) -> str | None:
        shown = action.option_strings and action.default not in (None, False, [], argparse.SUPPRESS)
        return f"{action.help} (default: %(default)s)" if shown and action.help else action.help


def command_parser(module: str, description: str | None) -> argparse.ArgumentParser:
    """The parser of ``python -m module``; ``description`` is the module's docstring, with an example in it."""
    return argparse.ArgumentParser(prog=f"python -m {module}", description=description, formatter_class=_Help)


def exit_status(name: str, work: Callable[[], object]) -> int:
    """Run; a user's mistake is one line on standard error and status 2, an interruption is status 130."""
    try:
        work()
    except (ValueError, OSError) as error:
        print(f"{name}: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"\n{name}: interrupted; the same command goes on where it can", file=sys.stderr)
        return 130
    return 0
