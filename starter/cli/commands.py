"""Every command that can be typed after `perennial`: where it is found, and what the front page says of it.

This table is all that is read before a command is known, so a command's own module is imported when it is typed, and
no other's. What it says of a command is the first paragraph of the command's own help; a test holds the two together.
"""

from typing import Final, NamedTuple

PROGRAM: Final = "perennial"
DISTRIBUTION: Final = "perennial-billing"
VERSION_HELP: Final = "Show the version and exit."
OPTIONS: Final = (
    ("--version", VERSION_HELP),
    ("--install-completion", "Install completion for the current shell."),
    (
        "--show-completion",
        "Show completion for the current shell, to copy it or customize the installation.",
    ),
    ("--help", "Show this message and exit."),
)
"""Of `perennial` itself; the last three are typer's own, and so are their words."""
ABOUT: Final = "Durable subscription billing for merchants who take Amazon Pay, on Temporal."

COMMANDS_PANEL: Final = "Commands"
SUBSCRIPTIONS_PANEL: Final = "Subscriptions"
PROCESSES_PANEL: Final = "Processes"


class Command(NamedTuple):
    """A command, or a group of commands.

    Attributes:
        name: as it is typed.
        source: module of this package, and name of its function or of its group.
        help: what it is for, in a line.
        panel: where it stands on the front page.
    """

    name: str
    source: str
    help: str
    panel: str = SUBSCRIPTIONS_PANEL


COMMANDS: Final = (
    Command(
        "demo",
        ".demo.command:demo",
        "Watch three subscribers being billed through a virtual year.",
        COMMANDS_PANEL,
    ),
    Command(
        "dev",
        ".dev.command:dev",
        "Run everything on this machine, with nothing to configure, until Ctrl-C.",
        COMMANDS_PANEL,
    ),
    Command("start", ".subscriptions:start", "Start billing a new subscriber."),
    Command(
        "show",
        ".subscriptions:show",
        "Show what a subscription is doing, why, and what happens next.",
    ),
    Command(
        "upcoming",
        ".subscriptions:upcoming",
        "Show the charges to come: when, how much and why, supposing that each succeeds.",
    ),
    Command("list", ".listing:list_", "List subscriptions with status and next billing date."),
    Command(
        "watch",
        ".watch:watch",
        "Follow a subscription live until it ends, or until Ctrl-C: how it stands, what is next, and what it tells.",
    ),
    Command(
        "cancel",
        ".subscriptions:cancel",
        "Cancel a subscription and close its charge permission.",
    ),
    Command(
        "replace",
        ".subscriptions:replace",
        "Let a subscription go on under a new charge permission.",
    ),
    Command(
        "capture",
        ".subscriptions:capture",
        "Capture an authorized charge, of a plan that captures later.",
    ),
    Command(
        "refund",
        ".subscriptions:refund",
        "Give money back for a period that was paid. Amazon decides in its own time; a notice tells how it ends.",
    ),
    Command(
        "retry",
        ".subscriptions:retry",
        "Try what is owed again now; also release periods that were missed and are held.",
    ),
    Command(
        "resolve",
        ".subscriptions:resolve",
        "Settle a held attempt by hand: count a charge, charge again, or write the period off.",
    ),
    Command(
        "write-off",
        ".subscriptions:write_off",
        "Give an owed period up: it is not collected any more. The subscription goes on with the next one.",
    ),
    Command(
        "recover",
        ".recovery:recover",
        "Bring back a subscription that was terminated or failed, or that a restore of a database has set back.",
    ),
    Command(
        "advance",
        ".advance:advance",
        "Move a subscription, or a group, through virtual time, and show what happens on the way.",
    ),
    Command(
        "audit",
        ".audit:audit",
        "Check what must always hold: nobody charged twice, nothing forgotten, nothing overdue.",
    ),
    Command(
        "reconcile",
        ".reconcile:reconcile",
        "Hold Amazon's settlements against the ledger, charge by charge. Exit code 1 where they differ.",
    ),
    Command("find", ".ledger:find", "Find subscriptions in the ledger, also such as Temporal does not know any more."),
    Command("timeline", ".ledger:timeline", "Show everything that a subscription told, from the ledger, oldest first."),
    Command("export", ".exports:export", "Write out the ledger for whoever keeps books: CSV, JSON lines or Parquet."),
    Command(
        "report",
        ".reports:reports",
        "Make figures of the ledger: what was recovered and earned, what is past due, and what falls due.",
    ),
    Command("change", ".changes:changes", "Change a running subscription."),
    Command("plan", ".plans:plans", "Look at plans before anything is billed by them."),
    Command("import", ".imports:imports", "Take over subscribers who are billed elsewhere."),
    Command("bulk", ".bulk:bulk", "Change all subscriptions that match a query."),
    Command(
        "setup",
        ".setup:setup",
        "Make what a deployment needs at its ledger and at Temporal, or say who makes it; what is right stays.",
        PROCESSES_PANEL,
    ),
    Command(
        "check",
        ".check:check",
        "Look at the whole deployment, from settings and keys to workers and to who is not billed.",
        PROCESSES_PANEL,
    ),
    Command(
        "endpoints",
        ".endpoints:endpoints",
        "Look after the endpoints that are told what happens.",
        PROCESSES_PANEL,
    ),
    Command("notices", ".notices:notices", "Look after notices on their way to the endpoints.", PROCESSES_PANEL),
    Command("ledger", ".ledger:ledger", "Look after the ledger, the record of what has happened.", PROCESSES_PANEL),
    Command(
        "worker",
        ".processes:worker",
        "Run a worker: hosts the subscriptions and calls Amazon Pay.",
        PROCESSES_PANEL,
    ),
    Command(
        "ipn",
        ".processes:ipn",
        "Run the receiver of Amazon's notifications (IPNs) at /ipn.",
        PROCESSES_PANEL,
    ),
    Command(
        "deploy",
        ".deploy:deploy",
        "See and choose which release of the workers has which subscriptions.",
        PROCESSES_PANEL,
    ),
    Command(
        "accounts",
        ".accounts:accounts",
        "Look after the merchant accounts that are charged for.",
        PROCESSES_PANEL,
    ),
    Command("api", ".processes:api", "Serve the HTTP API, with its documentation at /docs.", PROCESSES_PANEL),
    Command("portal", ".portal:portal", "The buyer's own page: serve it, and make links to it.", PROCESSES_PANEL),
    Command("keys", ".api:keys", "Make and revoke keys of the HTTP API.", PROCESSES_PANEL),
    Command(
        "codec",
        ".codec:codec",
        "Look after the keys that Temporal's histories are encrypted with.",
        PROCESSES_PANEL,
    ),
)
