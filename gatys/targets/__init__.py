"""What a picture must match: features of the content, statistics of styles, regions, blends, style files."""
