"""The side effects that a workflow asks for. `signatures` is all that workflows see of them."""
