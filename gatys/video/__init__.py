"""Films: each frame from the last one's result."""
