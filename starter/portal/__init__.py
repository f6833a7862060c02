"""The buyer's own page: what a subscription costs, when, and what its buyer may do about it.

Owns: sealed links, what a merchant allows, pages in the buyer's language. Holds no rule of billing: what is shown is
asked of `starter.client`, what would happen is a dry run there, and what is done is asked for there, by `buyer`.
"""
