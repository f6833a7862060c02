"""What a deployment needs at its servers is made where it is not there yet: at Temporal's, and told of the ledger's.

Owns: what is made, in which order, and what is said of each thing. Does not decide which server that is; the command
line does. All of it may be repeated: what is there is left as it is. Where a server makes nothing for whoever asks, as
Temporal Cloud does not for the key of a namespace, the lines are told that somebody else types (`cloud`).
"""
