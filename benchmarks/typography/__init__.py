"""How far a score moves when the same words are typeset otherwise."""
