"""Amazon's way in: takes SNS messages, proves them, and signals the workflow that they are about.

Owns: what counts as proven, and which workflow a message is for. Does not decide: what has changed; the workflow looks.
"""
