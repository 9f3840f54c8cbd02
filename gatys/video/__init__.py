"""Films: each frame is made from the last one's result."""
