"""The command `perennial check`: whether a deployment can bill, and does."""

from rich.text import Text

from perennial_billing.starter.cli.output import JsonOption, RefusedError, asynchronous, out, say_json


@asynchronous
async def check(as_json: JsonOption = False) -> None:
    """Look at the whole deployment: ledger, Temporal, workers and their releases, and who is not billed.

    Each finding says what to do. Exit code 1 where there is any. Nothing is changed, no worker is needed, and Amazon is
    not asked.
    """
    from perennial_billing.runtime.settings import load_settings
    from perennial_billing.runtime.temporal import connect
    from perennial_billing.starter.checks.check import in_the_way
    from perennial_billing.starter.checks.deployment import deployment_checks
    from perennial_billing.starter.cli.dev.amazon import line
    from perennial_billing.worker.books import ledger_of

    settings, checks = load_settings(), []
    async for each in deployment_checks(settings, connect, lambda: ledger_of(settings)):
        checks.append(each)
        if not as_json:
            out.print(line(each), soft_wrap=True)
    found = in_the_way(checks)
    if as_json:
        say_json({"right": not found, "checks": [each.as_data() for each in checks]})
    if found:
        raise RefusedError(
            f"{len(found)} of {len(checks)} are not as they are to be: {', '.join(each.name for each in found)}"
        )
    if not as_json:
        out.print(Text("All is as it is to be.", "green"))
