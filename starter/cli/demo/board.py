"""The demonstration's tables."""

from collections.abc import Sequence

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from perennial_billing.sandbox.comparison import Comparison
from perennial_billing.starter.cli.demo.story import PERIODS, Progress


def progress_table(board: Sequence[Progress]) -> Table:
    """Where each subscriber is in the virtual year."""
    table = Table("Subscriber", "Virtual date", "Year", "Status", "Next action", min_width=76)
    for progress in board:
        subscription = progress.subscription
        if subscription is None or progress.now is None:
            table.add_row(progress.role.name, "-", "", "starting", "")
            continue
        done = min(subscription.next_period, PERIODS)
        step = subscription.next
        table.add_row(
            progress.role.name,
            f"{progress.now:%Y-%m-%d}",
            Text.assemble(("#" * done, "green"), "." * (PERIODS - done)),
            subscription.status.value,
            f"{step.action.value} {step.at:%Y-%m-%d}" if step else "-",
        )
    return table


def comparison_table(comparisons: Sequence[Comparison]) -> Table:
    """The simulator's books beside the workflows' own account."""
    table = Table(title="Amazon's books beside the workflows' own account", box=SIMPLE_HEAD)
    table.add_column("Subscriber", no_wrap=True)
    for heading in ("Due", "Paid (account)", "Captured (books)"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("Equal")
    for comparison in comparisons:
        table.add_row(
            f"{comparison.name}\n{comparison.charge_permission_id}",
            str(comparison.periods_due),
            f"{comparison.periods_paid} periods\n{comparison.amount_paid} USD",
            f"{comparison.charges_captured} charges\n{comparison.amount_captured} USD",
            Text("NO", "bold red") if comparison.differences else Text("yes", "green"),
        )
    return table
