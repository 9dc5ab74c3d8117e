"""Everything but the lessons: data, runs, pictures. The lessons are in the parent folder."""
import time

STARTED = time.perf_counter()  # imported first, so nearly the start of the process
