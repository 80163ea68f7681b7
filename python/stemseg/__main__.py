"""``python -m stemseg`` is the command ``stemseg``."""

from stemseg._command import main

main()
