"""User callables, turned into pointers of the callback ABI."""
