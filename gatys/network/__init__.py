"""VGG networks: their layers, the places where filters come from, and the reading of files of filters."""
