"""Many subscriptions at once: joining from elsewhere, and one change for all that match a query."""
