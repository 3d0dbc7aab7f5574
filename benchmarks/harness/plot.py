"""Plot: curves as an SVG file that needs nothing to be looked at. Knows only numbers and names."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

WIDTH, HEIGHT, LEFT, BOTTOM, TOP, RIGHT = 640, 380, 56, 48, 20, 150
LINE = 16
COLORS = ("#1d4ed8", "#b45309", "#047857", "#7c3aed")
DASHES = ("", "6 4", "2 3", "8 3 2 3")
"""Lines differ in more than color."""


TENTHS = tuple((tenth / 10, f"{tenth / 10:.1f}") for tenth in range(0, 11, 2))


def write(
    path: Path,
    *,
    across: str,
    up: str,
    curves: Mapping[str, Sequence[tuple[float, float]]],
    ticks_across: Sequence[tuple[float, str]] = TENTHS,
    ticks_up: Sequence[tuple[float, str]] = TENTHS,
) -> None:
    """Draw curves of points in [0, 1] × [0, 1] into `path`. A tick is a place in [0, 1] and what stands there."""
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
        'font-family="sans-serif" font-size="13">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>',
    ]
    for place, name in ticks_up:
        lines += [
            f'<path d="M{_x(0)} {_y(place):.6g}H{_x(1)}" stroke="#ddd"/>',
            f'<text x="{LEFT - 8}" y="{_y(place) + 4:.6g}" text-anchor="end">{escape(name)}</text>',
        ]
    for place, name in ticks_across:
        lines.append(f'<text x="{_x(place):.6g}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle">{escape(name)}</text>')
    lines += [
        f'<text x="{(_x(0) + _x(1)) / 2}" y="{HEIGHT - 10}" text-anchor="middle">{escape(across)}</text>',
        f'<text transform="translate(16 {(_y(0) + _y(1)) / 2}) rotate(-90)" text-anchor="middle">{escape(up)}</text>',
    ]
    heights = _apart([_y(points[-1][1]) + 4 for points in curves.values()])
    for number, (name, points) in enumerate(curves.items()):
        color, dash = COLORS[number % len(COLORS)], DASHES[number % len(DASHES)]
        path_of = " ".join(f"{'M' if not place else 'L'}{_x(x):.1f} {_y(y):.1f}" for place, (x, y) in enumerate(points))
        lines += [
            f'<path d="{path_of}" fill="none" stroke="{color}" stroke-width="2.5" stroke-dasharray="{dash}"/>',
            *(f'<circle cx="{_x(x):.1f}" cy="{_y(y):.1f}" r="3.5" fill="{color}"/>' for x, y in points),
            f'<text x="{_x(1) + 12}" y="{heights[number]:.1f}" fill="{color}">{escape(name)}</text>',
        ]
    path.write_text("\n".join([*lines, "</svg>"]) + "\n", encoding="utf-8")


def _apart(heights: Sequence[float]) -> list[float]:
    """Where names stand that would stand at `heights`: upwards of one another, none on another."""
    placed: dict[int, float] = {}
    last = float(HEIGHT)
    for number in sorted(range(len(heights)), key=lambda number: -heights[number]):
        last = placed[number] = min(heights[number], last - LINE)
    return [placed[number] for number in range(len(heights))]


def _x(value: float) -> float:
    return LEFT + value * (WIDTH - LEFT - RIGHT)


def _y(value: float) -> float:
    return HEIGHT - BOTTOM - value * (HEIGHT - TOP - BOTTOM)
