"""Colours of a merchant's, and what can be read on them (WCAG 2.2, "relative luminance" and "contrast ratio")."""

from typing import Final

_DARK: Final = "#000000"
_LIGHT: Final = "#ffffff"


def luminance(colour: str) -> float:
    """The relative luminance of `#rrggbb`, 0 to 1."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (each / 12.92 if each <= 0.04045 else ((each + 0.055) / 1.055) ** 2.4 for each in parts)  # noqa: PLR2004 - of sRGB
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    """The contrast ratio of two colours, 1 to 21; from 4.5 on a text can be read (WCAG 2.2, 1.4.3)."""
    lighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def written_on(colour: str) -> str:
    """Black or white: one of them has a contrast of 4.58 or more with any colour."""
    return max(_LIGHT, _DARK, key=lambda each: contrast(each, colour))


def sheet(colour: str) -> str:
    """The style sheet of a merchant's colour."""
    return f":root{{--own:{colour};--on-own:{written_on(colour)}}}\n"
