"""A checkpoint as a classifier, its results for pictures, many files, scores."""
