"""Train a reader, which answers questions by a span of a text or finds no answer."""
