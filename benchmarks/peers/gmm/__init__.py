"""Ten of EM's passes over Fashion-MNIST from the same start; each returns the bound, nats an example.

full      32 principal components, full covariances
diagonal  784 pixels, diagonal ones
"""

COMPONENTS, PASSES, REGULARISATION = 10, 10, 1e-3
CASES = {"full": "32 components, full", "diagonal": "784 pixels, diagonal"}
