"""The loss of a picture and its gradient: the terms, their sum, and evaluation within the memory there is."""
