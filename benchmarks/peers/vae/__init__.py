"""An epoch of the Bernoulli VAE 784-512-16 with ReLU on Fashion-MNIST: all 60,000 images, batch 128, Adam 1e-3.

A peer has `prepare()`: named functions, each of which trains one more epoch and returns its mean loss in nats an image.
To return a number is to wait for the device, so that the time is the epoch's.
"""
