"""What a run saves and what is read back: checkpoints, progress, and other runs as ingredients.

checkpoint.save     one file, whole or not at all
checkpoint.load     read as data, never as code
manager.CheckpointManager     best, last and those that stay
progress.Progress   how far a run is
reference.RunReference   an earlier run's model as an ingredient of a new run
snapshot.snapshot   a copy of the state while training goes on
"""
