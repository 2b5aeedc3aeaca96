"""Publishing to the Hub: what goes there, how it gets there in one commit, and what to do when it does not."""
