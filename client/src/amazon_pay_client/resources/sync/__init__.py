"""The operations of `SyncAmazonPayClient`: those of `AmazonPayClient`, in modules of the same names."""
