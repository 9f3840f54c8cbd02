"""From a start to a result: the loop, its schedule and optimisers, what it records and keeps."""
