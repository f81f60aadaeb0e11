"""Layers and formulas that several models use; they work on tensors, without data and configs.

mlp.mlp_encoder           fully connected networks
conv.conv_encoder         convolutional networks
unet.UNetBackbone         a U-Net
boxes.paste, boxes.crop   a map put into a box of an image, and what lies in a box
attention.SelfAttention   attention over the places of an image
causal.CausalTransformer  an autoregressive model of sequences
codebook.Codebook         vector quantisation
likelihoods.Likelihood    how an output becomes a distribution over values
scheduled.Scheduled       a number that changes during training
schedules.Schedule        how it changes; learning rates, too
ema.ExponentialMovingAverage  a running average of weights
pool.ImagePool            past samples of a generator
resize.enlarged           an image on a finer grid
batch_norm.SharedBatchNorm    batch normalisation over the batch of several processes
settle.settle             the running statistics of batch normalisation, without learning
world.World               the processes that train one model together
"""
