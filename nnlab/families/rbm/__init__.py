"""Energy-based models: RBM, DBN, the general Boltzmann machine, Hopfield nets.

rbm.RBM               the restricted Boltzmann machine
energy.difference     the gradient of the log-likelihood
trainer.RBMTrainer    contrastive divergence
"""
