"""The models, one folder per family: `model=NAME` is FAMILY/NAME.py and configs/model/NAME.yaml."""
