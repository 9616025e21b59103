"""A reader made fit for a graph that nobody has asked questions about yet: paths, wordings, training."""
