"""What must always hold, one rule a function. Each says what is wrong, and nothing where all is well.

The promise: nobody is charged twice for a period, nothing owed is forgotten, what happens next can be seen, and the
ledger has all of it. Rules are pure: they know no clock, no ledger and no Amazon but the case.
"""

from typing import Final

from perennial_billing.starter.audit.case import Case
from perennial_billing.starter.audit.rules import books, course, money
from perennial_billing.starter.audit.rules.rule import Finding, Rule

__all__ = ["RULES", "Finding", "Rule", "findings"]

_REFUND: Final = "look at both charges in Seller Central, and refund what was taken too much"
_LOOK: Final = "look at the charge in Seller Central; `perennial timeline` shows what was told of it"
_RESTORE: Final = (
    "`perennial recover` records it again as far as Temporal retains it; else restore the ledger from a backup"
)

RULES: Final[tuple[Rule, ...]] = (
    Rule("charged-twice", money.no_period_is_charged_twice, _REFUND),
    Rule("charge-pays-twice", money.no_charge_pays_two_periods, "write one of the periods off, or charge it anew"),
    Rule(
        "unknown-charge",
        money.every_charge_is_known,
        "find out who made it: a person in Seller Central, another program; refund it where nobody meant it",
    ),
    Rule(
        "more-charged-than-known",
        money.amazon_counts_no_more_than_is_known,
        "find the charge in Seller Central or in a settlement report, and refund it where nobody meant it",
    ),
    Rule("not-captured", money.every_paid_period_has_a_charge, _LOOK),
    Rule("over-captured", money.no_more_is_captured_than_was_due, _REFUND),
    Rule("other-amount", money.every_charge_is_of_the_amount_in_the_account, _LOOK),
    Rule(
        "charged-early", money.no_charge_is_made_before_it_is_due, "tell the buyer, and refund it where they want that"
    ),
    Rule("not-refunded", money.what_went_back_went_back_at_amazon, "refund it again, in Seller Central"),
    Rule(
        "stray-authorization",
        money.no_authorization_is_left_behind,
        "capture it, or cancel the charge in Seller Central; it lapses 30 days after it was made",
    ),
    Rule(
        "pending-long",
        money.no_charge_is_pending_for_long,
        "`perennial retry` reads it at once; ask Amazon's support where that goes on",
    ),
    Rule(
        "permission-without-subscription",
        money.no_permission_is_without_a_subscription,
        "start its subscription, or close the charge permission",
    ),
    Rule("period-forgotten", course.no_period_is_forgotten, "`perennial show` says why; `perennial retry` charges it"),
    Rule("overdue", course.nothing_is_overdue, "see that workers run, and that they are of this release"),
    Rule(
        "outcome-unknown",
        course.no_outcome_is_unknown,
        "see that Amazon can be reached; it goes on being asked under the same key: never charge by hand",
    ),
    Rule(
        "closed-and-active",
        course.no_closed_permission_is_active,
        "see that notifications arrive; `perennial retry` or the next charge finds it out",
    ),
    Rule(
        "ended-and-open",
        course.no_ended_subscription_keeps_its_permission,
        "close the charge permission in Seller Central",
    ),
    Rule("above-the-cap", course.no_attempt_is_above_the_cap, "`perennial write-off` ends it; tell us: it is a fault"),
    Rule(
        "stopped",
        course.no_subscription_is_stopped,
        "`perennial recover` brings it back with all it knew; Temporal forgets it when its retention is over",
    ),
    Rule(
        "no-progress",
        course.no_subscription_is_hindered,
        "`perennial recover` lets one go on that is paused; where workers fail at it, `perennial deploy rollback`",
    ),
    Rule(
        "not-running", course.every_open_subscription_runs, "`perennial recover` says what is known, and how it goes on"
    ),
    Rule(
        "not-recorded",
        course.every_running_subscription_is_recorded,
        "see that the workers and this command use the same ledger, and that it can be written",
    ),
    Rule("number-missing", books.no_number_is_missing, _RESTORE),
    Rule(
        "ledger-ahead",
        books.the_ledger_knows_no_more,
        "`perennial recover` brings both together; nothing is charged before",
    ),
    Rule("row-differs", books.every_row_is_made_of_its_entries, "`perennial ledger rebuild`"),
    Rule("not-delivered", books.every_notice_is_delivered, "mend the endpoint, then `perennial notices resend`"),
    Rule("not-in-ledger", books.every_paid_period_is_recorded, _RESTORE),
)
"""Everything that must always hold."""


def findings(case: Case) -> list[Finding]:
    """Everything that does not hold."""
    return [finding for rule in RULES for finding in rule.findings(case)]
