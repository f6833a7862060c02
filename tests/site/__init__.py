"""The documentation as a site: built, and what is made for it beforehand.

Owns: how the pages of `docs/` become a site that is read without a network, and that nothing in it leads nowhere. Does
not decide: what a page says.
"""
