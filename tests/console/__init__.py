"""The console, on loopback over the house, as a browser sees it."""
