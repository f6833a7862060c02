"""What a merchant does with subscriptions, over a Temporal client.

Owns: what is sent to a subscription, how long is waited for it, and what Temporal's errors mean. Decides nothing: rules
are billing's, and what only the ledger remembers is read there.
"""

from perennial_billing.starter.client.asking import new_request_id
from perennial_billing.starter.client.starting import Started, shares_reference
from perennial_billing.starter.client.subscriptions import Subscriptions

__all__ = ["Started", "Subscriptions", "new_request_id", "shares_reference"]
