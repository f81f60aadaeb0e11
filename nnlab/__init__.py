"""nnlab: experiments with unsupervised and generative neural networks.

From a notebook, a run with its model, data, config and metrics:

    import nnlab
    run = nnlab.train("model=vae", "data=digits")
    run = nnlab.open("last")
    images = run.model.sample(64)
"""

__version__ = "0.1.0"
__all__ = ["load", "open", "train"]


def __getattr__(name: str):
    # torch is imported when a run is asked for, so that `nnlab --help` need not wait for it
    if name == "train":
        from nnlab.commands.train import train

        return train
    if name in __all__:
        from nnlab.experiment import loading

        return getattr(loading, {"open": "open_run"}.get(name, name))
    raise AttributeError(f"module 'nnlab' has no attribute {name!r}")
