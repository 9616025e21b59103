"""The model: a frozen text encoder and the reader network. Tensors in, tensors out; no store."""
