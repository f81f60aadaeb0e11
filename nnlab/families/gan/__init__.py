"""Generative adversarial networks: a generator and a discriminator in a game.

base.Adversarial       base of the games
objectives.OBJECTIVES  the losses of the game
trainer.GameTrainer    their trainer
"""
