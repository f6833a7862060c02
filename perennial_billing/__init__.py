"""Perennial: durable subscription billing for merchants who take Amazon Pay, on Temporal.

The packages of the house lie at the top of the repository, each with its tests beside it in `tests/`; here is a link to
each, so that what is installed has one name of its own in everybody's environment. A merchant's program starts at
`perennial_billing.starter.client`; the command line is `perennial`.
"""
