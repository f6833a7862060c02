"""What can be asked for, an address each."""
