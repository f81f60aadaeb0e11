"""Generative adversarial networks: a generator against a discriminator.

base.Adversarial       base of the games
objectives.OBJECTIVES  the losses of the game
trainer.GameTrainer    their trainer
"""
