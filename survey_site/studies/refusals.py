"""What this room refuses."""


class StudyRefused(Exception):
    """A study that cannot be made, changed or opened as it stands; the message says why."""
