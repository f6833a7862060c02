"""The merchant's ways in: what starts, shows, lists and cancels subscriptions, and the command line around it."""
