"""Twenty of Lloyd's passes over the 60,000 images of Fashion-MNIST from 64 of them; each returns the inertia."""

CLUSTERS, PASSES, SEED = 64, 20, 0
