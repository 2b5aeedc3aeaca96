"""From scores to probabilities: a map fitted on judged summaries, what it is worth, and a picture."""
