"""The home: the folder that holds one collection's index. Knows nothing of what lies inside."""

from __future__ import annotations

import os
from pathlib import Path

from platformdirs import user_data_path


def default_home() -> Path:
    """CITEWIRE_HOME, else the folder "citewire" among the user's application data. It need not exist yet."""
    chosen = os.environ.get("CITEWIRE_HOME")
    return Path(chosen).expanduser().absolute() if chosen else user_data_path("citewire", appauthor=False)


def resolve(home: str | Path | None) -> Path:
    """`home` as an absolute path; None is the default home."""
    return default_home() if home is None else Path(home).expanduser().absolute()


def is_offline() -> bool:
    """Whether CITEWIRE_OFFLINE forbids to touch the network."""
    return os.environ.get("CITEWIRE_OFFLINE", "0") not in ("", "0")
