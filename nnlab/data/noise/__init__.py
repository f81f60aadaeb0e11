"""The noises, one per file: `noise=NAME` is NAME.py and configs/noise/NAME.yaml.

base.Noise             base of the noises
rectangles.Rectangles  base of the noises that change rectangles
"""
