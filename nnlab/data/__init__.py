"""From files to batches on the device: datasets, splits, augmentation and noise.

dataset.Dataset       base of every dataset
spec.DataSpec         description of the data for a model
spec.Batch            a batch on the device
split.Split           a part of the data on the device
feed.BatchBuilder             how rows become a batch
inputs.Inputs         a split, or a user's own files, for a verb
classes.need_classes  the classes of a dataset
"""
