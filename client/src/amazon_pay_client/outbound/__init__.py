"""Every request that a process of ours sends, bounded in number, in time as a whole and in bytes.

Nothing that a server does, or that a caller gives up, is noticed by another request of the same client. The HTTP
library is imported here and nowhere else.

Owns: how many requests are under way, when each ends, how much of an answer is read, and which connections are thrown
away. Does not decide: what is asked, whom, whether it is asked again, and what the bounds are.
"""
