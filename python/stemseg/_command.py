"""The command ``stemseg``, the same as the program."""

from __future__ import annotations

import signal
import sys


def main() -> None:
    """Run the command with the arguments of this process, and exit with its code."""
    from stemseg import _core

    # As a program has it: Python's handler would wait for Python to go on.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    sys.exit(_core.command(["stemseg", *sys.argv[1:]]))
