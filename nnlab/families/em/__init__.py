"""Mixtures and k-means: learned by expectation and maximisation, in passes over the training set.

mixture.Mixture         base of the mixtures
trainer.ClusterTrainer  the trainer of mixtures and k-means
"""
