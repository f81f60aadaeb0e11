"""Variational autoencoders: a bound on the likelihood, learned by gradient.

base.VariationalAutoencoder   base of the family
trainer.VAETrainer            its trainer
vq_trainer.VQTrainer          the trainer of the vector-quantised one
"""
