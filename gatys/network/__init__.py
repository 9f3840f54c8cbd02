"""VGG networks: their layers, where filters come from, and how files of filters are read."""
