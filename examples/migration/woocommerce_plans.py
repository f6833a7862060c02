"""The plan files that a WooCommerce export names: `python woocommerce_plans.py subscribers.csv plans/`.

A plan's name is made by woocommerce.sql of what it costs and how often, such as `woo-19.90-eur-1-month`.
Give them better names before you start: a plan's id stands in each notice and report from then on.
"""

import csv
import sys
from pathlib import Path


def plan(name: str) -> str:
    """The file of one plan."""
    _, amount, currency, count, unit = name.split("-")
    if currency == "jpy":  # has no decimals
        amount = amount.removesuffix(".00")
    return (
        f'plan_id = "{name}"\n'
        f'amount = {{ amount = "{amount}", currency = "{currency.upper()}" }}\n'
        f'interval = {{ unit = "{unit}", count = {count} }}\n'
    )


subscribers, folder = map(Path, sys.argv[1:])
folder.mkdir(exist_ok=True)
with subscribers.open(newline="") as file:
    for name in {row["plan"] for row in csv.DictReader(file)}:
        (folder / f"{name}.toml").write_text(plan(name))
