"""Pictures as files and pixels: reading, writing, colour profiles, resampling, and colours."""
