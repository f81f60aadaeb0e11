"""nnlab: experiments with unsupervised and generative neural networks.

From a notebook, the trained model of a run with all it can do:

    import nnlab
    model = nnlab.load("outputs/vae/fashion_mnist/…")
    images = model.sample(64)
"""

__version__ = "0.1.0"
__all__ = ["load"]


def __getattr__(name: str):
    # torch is imported when a model is asked for, so that `nnlab --help` need not wait for it
    if name == "load":
        from nnlab.loading import load

        return load
    raise AttributeError(f"module 'nnlab' has no attribute {name!r}")
