"""Tests of the Amazon Pay client alone: nothing here knows of subscriptions or Temporal."""
