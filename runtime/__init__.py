"""How any process of ours starts: settings, the Temporal connection, logging, HTTP, the embedded server."""
