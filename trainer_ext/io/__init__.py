"""Files and the terminal: reading, writing whole or not at all, hashing, printing."""
