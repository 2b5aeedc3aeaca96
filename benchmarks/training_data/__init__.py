"""The files on which the embedded classifier of FactCC was trained, and statements for a QAGen."""
