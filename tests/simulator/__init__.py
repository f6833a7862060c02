"""The simulator over real HTTP on loopback: every other test believes its books, so these tests do not."""
