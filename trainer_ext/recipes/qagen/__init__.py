"""Train a QAGen, which asks and answers questions, or a question generator that QAGS asks with."""
