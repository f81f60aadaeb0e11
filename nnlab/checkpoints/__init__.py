"""Saving and loading: checkpoints, progress, and earlier runs as parts of a new one.

checkpoint.save     one file, whole or not at all
checkpoint.load     read as data, never as code
manager.CheckpointManager     best, last and those that stay
progress.Progress   how far a run is
reference.RunReference   an earlier run's model as a part of a new run
snapshot.snapshot   a copy of the state while training goes on
"""
