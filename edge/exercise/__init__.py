"""Exercises: a scenario file, the simulator, and a judge for every checkpoint."""
