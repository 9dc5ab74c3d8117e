"""Data sets: MNIST and others in IDX files, and the embedded one, drawn from pen strokes."""
from digits import environment

environment.check()
