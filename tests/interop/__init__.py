"""Other people's clients against the simulator: what Amazon's own SDK signs and expects, we did not write."""
