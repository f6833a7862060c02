"""The merchant's ways in: starting, cancelling and showing subscriptions, from Python and from the command line."""
