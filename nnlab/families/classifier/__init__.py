"""Classifiers: the class of an example.

base.Classifier         base of the classifiers
trainer.ClassifierTrainer  their trainer
"""
