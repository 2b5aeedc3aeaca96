"""What workers of Ray bring and cost."""
