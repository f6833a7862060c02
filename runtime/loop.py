"""The event loop of a process: uvloop's where there is one, which is everywhere but on Windows."""

import asyncio
import sys


def new_event_loop() -> asyncio.AbstractEventLoop:
    """Makes one, for `asyncio.Runner`."""
    if sys.platform == "win32":
        return asyncio.new_event_loop()
    import uvloop

    return uvloop.new_event_loop()
