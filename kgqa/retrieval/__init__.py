"""From topics to what was reached: the hop-by-hop walk, live through a GraphReader or batched on a snapshot."""
