"""The auditor: reads subscriptions, asks a witness what really happened, and says where a promise was not kept."""
