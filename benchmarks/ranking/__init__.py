"""How well rankers tell which of one document's samples is the truer."""
