"""Entry: what starts the command line. It imports nothing, so that Ctrl-C ends `citewire` quietly from the beginning,
also while all else is imported."""

from __future__ import annotations

INTERRUPTED = 130


def main() -> int:
    """Run the command that the process was started with, and return its exit status."""
    try:
        from ui import cli

        return cli.main()
    except KeyboardInterrupt:
        return INTERRUPTED
