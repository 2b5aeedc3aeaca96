"""Train a FactCC classifier on claims that are made from unlabelled texts."""
