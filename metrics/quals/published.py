"""Where the QAGen is that a published copy of this metric loads; ``quals publish metric`` fills it in.

Model of the Hub and commit, or None in a clone, whose QAGen lies beside this file.
"""

PUBLISHED: tuple[str, str] | None = None
