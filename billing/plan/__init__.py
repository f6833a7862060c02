"""What a merchant sells: phases of how much, how often and how long, and the policy for a charge that fails.

Owns: plans, policies, the texts that buyers read, what Amazon is told of plans, Amazon's limits on them.
Does not decide: dates, and what is done.
"""

from perennial_billing.billing.plan.plan import MOST_PERIODS, Amounts, Capture, Phase, Plan
from perennial_billing.billing.plan.texts import Texts

__all__ = ["MOST_PERIODS", "Amounts", "Capture", "Phase", "Plan", "Texts"]
