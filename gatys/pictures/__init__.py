"""Files and pixels: reading, writing, colour profiles, resampling, and colours."""
