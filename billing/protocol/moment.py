"""When in its workflow's history a subscription tells something. The rules make nothing of it."""

from perennial_billing.billing.values import Value


class Moment(Value):
    """A moment of a history; histories only grow, unless somebody sets them back.

    Attributes:
        run: Temporal's id of the run.
        before: that of the run which it continues; None where it is the first.
        length: how many events the run had.
    """

    run: str
    before: str | None = None
    length: int = 0
