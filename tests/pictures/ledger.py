"""The ledger: entries that stay, a row that is their fold, and who compares them with whom."""

from typing import Final

from tests.pictures.drawing import Colour, Drawing
from tests.pictures.life import life

_SHOWN: Final = 6


def picture() -> str:
    """As SVG."""
    lived = life()
    drawing = Drawing(
        330, "What a subscription tells becomes entries, entries become a row, and both are compared with Amazon"
    )
    drawing.words(24, 30, "What was told stays; how it stands is made of it", bold=True)
    drawing.box(24, 56, 150, 74, fill=Colour.PALE_BLUE, edge=Colour.BLUE)
    drawing.words(99, 86, "subscription", anchor="middle", bold=True, colour=Colour.BLUE)
    drawing.words(99, 104, "a workflow in Temporal,", anchor="middle", small=True)
    drawing.words(99, 119, "forgotten after its end", anchor="middle", small=True)
    drawing.arrow((174, 93), (222, 93), Colour.BLUE)

    drawing.box(226, 50, 260, 190)
    drawing.words(238, 70, "entries, for as long as books are kept", small=True, colour=Colour.MUTED)
    for place, notice in enumerate(lived.notices[:_SHOWN]):
        y = 92 + place * 22
        drawing.words(238, y, f"{notice.number:>2}  {notice.type.value}", small=True, mono=True)
        drawing.words(474, y, f"{notice.at:%-d %b}", small=True, anchor="end", colour=Colour.MUTED)
    drawing.words(
        238, 92 + _SHOWN * 22, f"...  {len(lived.notices)} in all", small=True, mono=True, colour=Colour.MUTED
    )
    drawing.arrow((486, 93), (534, 93), Colour.GREEN)
    drawing.words(510, 82, "fold", anchor="middle", small=True, colour=Colour.GREEN)

    drawing.box(538, 56, 198, 74, fill=Colour.PALE_GREEN, edge=Colour.GREEN)
    drawing.words(550, 78, "its row", bold=True, colour=Colour.GREEN)
    drawing.words(550, 98, f"status {lived.moments[-1].status.value}", small=True, mono=True)
    drawing.words(
        550, 116, f"{sum(moment.charge == 'captured' for moment in lived.moments)} periods paid", small=True, mono=True
    )
    drawing.words(538, 154, "perennial list, find, timeline,", small=True, mono=True, colour=Colour.MUTED)
    drawing.words(538, 170, "report, export", small=True, mono=True, colour=Colour.MUTED)

    drawing.box(226, 274, 510, 38, fill=Colour.PALE_AMBER, edge=Colour.AMBER)
    drawing.words(481, 298, "Amazon: charges, charge permissions, settlements", anchor="middle", colour=Colour.AMBER)
    drawing.arrow((300, 274), (300, 242), Colour.AMBER)
    drawing.words(310, 262, "perennial reconcile", small=True, mono=True)
    drawing.arrow((637, 274), (637, 184), Colour.AMBER)
    drawing.words(627, 262, "perennial audit", small=True, mono=True, anchor="end")
    drawing.line((99, 130), (99, 293), Colour.AMBER, dashed=True)
    drawing.arrow((99, 293), (222, 293), Colour.AMBER, dashed=True)
    drawing.words(24, 318, "charges", small=True, colour=Colour.AMBER)
    return drawing.svg()
