"""Amazon's settlements: what it says it took from buyers, gave back, kept as fees and paid out.

Owns: reading its settlement reports, keeping them, and holding each line against what subscriptions told. Does not
decide: what to do about a difference; it says which there are, and what a person does next.

Source of the form: Amazon Pay, "settlement report details" (the columns and what stands in them), and "set up reports"
(in them `AmazonTransactionId` is the chargeId, and `AmazonOrderReferenceId` the chargePermissionId). The form of the
file is on neither page. Merchants' published readers of Amazon's own files have every value quoted, commas between
them, UTF-8, some lines of heading before the names of the columns, fees below zero, and the payout as a `Transfer` at
the end. So what may vary is found by the names of the columns: their order, further columns, the separator, and how
many lines stand before them.
"""
