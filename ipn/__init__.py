"""Amazon's way in: takes SNS messages, proves them, and signals the workflow that they are about."""
