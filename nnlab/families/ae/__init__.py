"""Autoencoders and PCA: a code from which the input is rebuilt.

base.Autoencoder   an encoder and a decoder
trainer.AutoencoderTrainer  their trainer
"""
