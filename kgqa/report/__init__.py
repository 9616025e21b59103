"""One page that shows what a reader does on a question set: figures, plots, attention, errors."""
