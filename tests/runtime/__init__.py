"""How our processes start, and what they say in one line when they cannot."""
