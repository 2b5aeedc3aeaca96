"""Measurements of the metric, one command each: ``python -m benchmarks.<name>``."""
