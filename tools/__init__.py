"""Tools of the project itself: generated files and their checks."""
