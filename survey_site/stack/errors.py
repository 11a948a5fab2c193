class StackError(Exception):
    """A process of the stack cannot be started or stopped; the message says what to do about it."""
