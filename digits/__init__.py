"""Everything that is not the lesson: data, runs, pictures. The lessons are the scripts above."""
