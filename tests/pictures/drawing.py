"""A picture as SVG: lines, boxes and words on a light ground of its own, so that it is legible in a dark page too."""

from datetime import datetime, timedelta
from enum import StrEnum
from html import escape
from typing import Final, NamedTuple

WIDTH: Final = 760
"""Of every picture, in its own units; a page scales it."""

_LARGE: Final = 13
_SMALL: Final = 11
_FONT: Final = "-apple-system, 'Segoe UI', Helvetica, Arial, sans-serif"


class Colour(StrEnum):
    """What a thing is; words on the light ones are readable in the dark ones."""

    INK = "#1f2328"
    MUTED = "#57606a"
    FAINT = "#d0d7de"
    GROUND = "#ffffff"
    PLAIN = "#f6f8fa"
    BLUE = "#0969da"
    PALE_BLUE = "#ddf4ff"
    GREEN = "#1a7f37"
    PALE_GREEN = "#dafbe1"
    AMBER = "#9a6700"
    PALE_AMBER = "#fff8c5"
    RED = "#cf222e"
    PALE_RED = "#ffebe9"
    VIOLET = "#8250df"
    PALE_VIOLET = "#fbefff"


class Axis(NamedTuple):
    """Where an instant stands from left to right."""

    begins: datetime
    ends: datetime
    left: float
    right: float

    def at(self, instant: datetime) -> float:
        """Its place."""
        share = (instant - self.begins) / (self.ends - self.begins)
        return round(self.left + share * (self.right - self.left), 1)

    def after(self, elapsed: timedelta) -> float:
        """The place of an instant so long after the beginning."""
        return self.at(self.begins + elapsed)


class Drawing:
    """What is drawn, in the order in which it is.

    Args:
        height: in the picture's own units.
        title: what it shows, for those who cannot see it.
    """

    def __init__(self, height: int, title: str) -> None:
        self._height = height
        self._title = title
        self._things: list[str] = []

    def words(
        self,
        x: float,
        y: float,
        said: str,
        *,
        colour: Colour = Colour.INK,
        anchor: str = "start",
        small: bool = False,
        bold: bool = False,
        mono: bool = False,
    ) -> None:
        """A line of words; `anchor` is start, middle or end."""
        style = f' text-anchor="{anchor}"' if anchor != "start" else ""
        style += f' font-size="{_SMALL}"' if small else ""
        style += ' font-weight="600"' if bold else ""
        style += " font-family=\"ui-monospace, 'Liberation Mono', monospace\"" if mono else ""
        self._things.append(f'<text x="{x:g}" y="{y:g}" fill="{colour}"{style}>{escape(said, quote=False)}</text>')

    def box(
        self,
        x: float,
        y: float,
        width: float,
        height: float,
        *,
        fill: Colour = Colour.PLAIN,
        edge: Colour = Colour.FAINT,
    ) -> None:
        """A box with round corners."""
        size = f'width="{max(width, 1):g}" height="{height:g}"'
        self._things.append(f'<rect x="{x:g}" y="{y:g}" {size} rx="4" fill="{fill}" stroke="{edge}"/>')

    def line(
        self,
        start: tuple[float, float],
        end: tuple[float, float],
        colour: Colour = Colour.MUTED,
        *,
        dashed: bool = False,
    ) -> None:
        """A line without a head."""
        style = ' stroke-dasharray="4 3"' if dashed else ""
        self._things.append(
            f'<line x1="{start[0]:g}" y1="{start[1]:g}" x2="{end[0]:g}" y2="{end[1]:g}" stroke="{colour}"{style}/>'
        )

    def arrow(
        self,
        start: tuple[float, float],
        end: tuple[float, float],
        colour: Colour = Colour.MUTED,
        *,
        dashed: bool = False,
    ) -> None:
        """A line with a head at its end."""
        self.line(start, end, colour, dashed=dashed)
        (x1, y1), (x2, y2) = start, end
        length = ((x2 - x1) ** 2 + (y2 - y1) ** 2) ** 0.5
        along, across = ((x2 - x1) / length, (y2 - y1) / length), (-(y2 - y1) / length, (x2 - x1) / length)
        back = (x2 - 8 * along[0], y2 - 8 * along[1])
        points = " ".join(
            f"{x:.1f},{y:.1f}"
            for x, y in (
                end,
                (back[0] + 4 * across[0], back[1] + 4 * across[1]),
                (back[0] - 4 * across[0], back[1] - 4 * across[1]),
            )
        )
        self._things.append(f'<polygon points="{points}" fill="{colour}"/>')

    def dot(self, x: float, y: float, colour: Colour, radius: float = 4.5, *, hollow: bool = False) -> None:
        """A dot; a hollow one is something that was not a success."""
        fill = Colour.GROUND if hollow else colour
        self._things.append(
            f'<circle cx="{x:g}" cy="{y:g}" r="{radius:g}" fill="{fill}" stroke="{colour}" stroke-width="2"/>'
        )

    def cross(self, x: float, y: float, colour: Colour = Colour.RED) -> None:
        """What does not arrive."""
        self.line((x - 5, y - 5), (x + 5, y + 5), colour)
        self.line((x - 5, y + 5), (x + 5, y - 5), colour)

    def svg(self) -> str:
        """The file."""
        size = f'viewBox="0 0 {WIDTH} {self._height}" width="{WIDTH}" height="{self._height}"'
        font = f'font-family="{_FONT}" font-size="{_LARGE}"'
        frame = f'x="0.5" y="0.5" width="{WIDTH - 1}" height="{self._height - 1}" rx="8"'
        return "\n".join(
            (
                f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" {font}>',
                f"<title>{escape(self._title, quote=False)}</title>",
                f'<rect {frame} fill="{Colour.GROUND}" stroke="{Colour.FAINT}"/>',
                *self._things,
                "</svg>\n",
            )
        )
