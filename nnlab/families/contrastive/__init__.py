"""Contrastive and metric learning: encoders that learn by comparing examples, without a decoder.

base.ContrastiveModel       base of the encoders with a head that is thrown away
losses                      their losses, as functions of embeddings
trainer.EncoderTrainer      their trainer: it also tells how useful the codes are
"""
