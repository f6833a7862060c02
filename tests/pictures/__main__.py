"""Brings docs/images up to date."""

from tests.pictures.all import IMAGES, PICTURES

for name, draw in PICTURES.items():
    (IMAGES / f"{name}.svg").write_text(draw())
