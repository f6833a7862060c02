"""How any process of ours starts: settings, the Temporal connection, payloads, logging, HTTP, the embedded server.

Owns: what all processes share. Does not decide: anything of billing, of which it knows nothing.
"""
