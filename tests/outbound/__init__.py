"""Requests that go out: what a server, or a caller who gives up, can do to those of others."""
