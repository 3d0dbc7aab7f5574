"""Power: whether this machine runs on its battery, as far as the system says. Knows nothing else."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from pathlib import Path

SUPPLIES = Path("/sys/class/power_supply")
"""Where Linux lists batteries and mains (Documentation/ABI/testing/sysfs-class-power)."""
_PMSET_S = 5
"""Longest wait for pmset, which answers in some hundredths of a second."""


def on_battery(supplies: Path = SUPPLIES) -> bool:
    """Whether the machine runs on its battery. False also where that cannot be known, as on a server."""
    if sys.platform == "darwin":
        return _pmset_names_battery()
    if sys.platform == "win32":
        return _windows_is_offline()
    found = [(_read(supply / "type"), supply) for supply in sorted(supplies.glob("*")) if _is_of_system(supply)]
    if any(kind != "Battery" and _read(supply / "online") == "1" for kind, supply in found):
        return False
    return any(kind == "Battery" and _read(supply / "status") == "Discharging" for kind, supply in found)


def _is_of_system(supply: Path) -> bool:
    """Whether it is not the battery of a mouse or another device."""
    return _read(supply / "scope") != "Device"


def _read(path: Path) -> str:
    with contextlib.suppress(OSError):
        return path.read_text(encoding="ascii", errors="replace").strip()
    return ""


def _pmset_names_battery() -> bool:
    """Its first line is "Now drawing from 'Battery Power'", or 'AC Power'."""
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        answer = subprocess.run(
            ["/usr/bin/pmset", "-g", "batt"], capture_output=True, text=True, timeout=_PMSET_S, check=False
        )
        return "'Battery Power'" in answer.stdout.partition("\n")[0]
    return False


def _windows_is_offline() -> bool:
    """The first byte of a SYSTEM_POWER_STATUS (winbase.h): 0 is offline, 1 online, 255 unknown."""
    import ctypes

    status = (ctypes.c_ubyte * 12)()
    with contextlib.suppress(OSError, AttributeError):
        return bool(ctypes.windll.kernel32.GetSystemPowerStatus(status)) and status[0] == 0  # type: ignore[attr-defined, unused-ignore]
    return False
