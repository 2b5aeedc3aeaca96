"""Names of the data set columns that carry candidates, so that a user can bring candidates from anywhere."""

CANDIDATE_LABELS = "candidate_labels"  # K lists of token ids, like labels
CANDIDATE_SCORES = "candidate_scores"  # K floats, higher is better; NaN: no score
REFERENCE_SCORE = "reference_score"  # float, optional
IGNORED = -100  # a label that no loss counts
