"""The augmentations, one per file: `augmentation=NAME` is NAME.py and configs/augmentation/NAME.yaml.

base.Augmentation  base of the augmentations
"""
