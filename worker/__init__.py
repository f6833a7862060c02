"""The process that hosts workflows and activities and wires them to the real Amazon Pay.

Owns: which queue is polled, by how many, at which rate. Does not decide: what is asked for, and when.
"""
