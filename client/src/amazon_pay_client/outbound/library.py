"""The HTTP library, and the network beneath it: who takes a successor of theirs does so on these two lines."""

import httpcore
import httpx

__all__ = ["httpcore", "httpx"]
