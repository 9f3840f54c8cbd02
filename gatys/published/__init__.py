"""Settings of the paper and of well-known programs, each number with its source."""
