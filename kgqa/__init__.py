"""Ask a knowledge graph in plain language and get answers with the chain of facts that proves each."""
