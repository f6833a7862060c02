"""What a merchant sells: phases of how much, how often and how long, and the policy for a charge that fails.

Owns: plans, policies, what Amazon is told of them, Amazon's limits on them. Does not decide: dates, and what is done.
"""

from billing.plan.plan import MOST_PERIODS, Amounts, Capture, Phase, Plan

__all__ = ["MOST_PERIODS", "Amounts", "Capture", "Phase", "Plan"]
