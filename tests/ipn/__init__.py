"""Amazon's way in: whose certificates count, what proves a message, and what becomes of it."""
