"""The demonstration: three subscribers live a virtual year, and the books are compared at the end."""
