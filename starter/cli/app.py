"""The command `perennial` and its subcommands."""

import typer

from starter.cli import processes, subscriptions
from starter.cli.audit import audit
from starter.cli.changes import changes
from starter.cli.demo.command import demo
from starter.cli.many import bulk, imports
from starter.cli.plans import plans

app = typer.Typer(
    name="perennial",
    help="Durable subscription billing for merchants who take Amazon Pay, on Temporal.",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_show_locals=False,  # locals may hold secrets
    add_completion=False,
)
app.command()(demo)
app.command(rich_help_panel="Subscriptions")(subscriptions.start)
app.command(rich_help_panel="Subscriptions")(subscriptions.show)
app.command(rich_help_panel="Subscriptions")(subscriptions.upcoming)
app.command("list", rich_help_panel="Subscriptions")(subscriptions.list_)
app.command(rich_help_panel="Subscriptions")(subscriptions.cancel)
app.command(rich_help_panel="Subscriptions")(subscriptions.replace)
app.command(rich_help_panel="Subscriptions")(subscriptions.capture)
app.command(rich_help_panel="Subscriptions")(subscriptions.refund)
app.command(rich_help_panel="Subscriptions")(subscriptions.retry)
app.command(rich_help_panel="Subscriptions")(audit)
app.add_typer(changes, rich_help_panel="Subscriptions")
app.add_typer(plans, rich_help_panel="Subscriptions")
app.add_typer(imports, rich_help_panel="Subscriptions")
app.add_typer(bulk, rich_help_panel="Subscriptions")
app.command(rich_help_panel="Processes")(processes.worker)
app.command(rich_help_panel="Processes")(processes.ipn)
app.command(rich_help_panel="Processes")(processes.simulator)


def main() -> None:
    """The entry point of the console script."""
    app()
