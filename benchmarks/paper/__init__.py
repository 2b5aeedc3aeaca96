"""The paper's experiment: likelihood, contrast ranked by ROUGE, contrast ranked by QUALS, judged by several metrics."""
