"""What is wrong with a layer that was asked for."""


class LayerError(ValueError):
    """A layer whose response can't be used; the message says why and what can be used instead."""


class LayerNotFound(LayerError):
    """A name that no module or graph node of the network has; the message names the nearest valid ones."""
