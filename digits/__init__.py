"""Everything that is not the lesson: data, runs, pictures. The lessons are the scripts above."""
import time

STARTED = time.perf_counter()  # the first that a script does: nearly the process's own start
