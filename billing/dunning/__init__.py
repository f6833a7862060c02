"""What follows a charge that failed: what each reason code means, the rules, and the schedules.

Owns: decisions as values. Does not decide: when they are carried out; a collection applies them.
"""
