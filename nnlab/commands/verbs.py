"""The verbs of the command line. Imports nothing."""

from __future__ import annotations

VERBS = {
    "train": "train a model: nnlab train model=vae data=fashion_mnist",
    "batch-size": "the largest batch size that fits into a GPU's memory, by trial",
    "search": "values of keys that make a metric better: many runs, by Optuna",
    "resume": "go on with a run that was stopped, or train it longer",
    "evaluate": "the metrics of a run on a split",
    "sample": "a picture of new examples",
    "reconstruct": "a picture of inputs and their reconstructions",
    "translate": "your own images, translated by the model, as files in a folder",
    "traverse": "a picture of motion along the latent coordinates",
    "interpolate": "a picture of the way from one image to another through the latent space",
    "walk": "an animation of a walk through the latent space",
    "perturb": "new examples near an image, from codes near its code",
    "attribute": "give images an attribute: add the difference of two mean codes",
    "augment": "generated examples with their classes in a file, for a training set",
    "compress": "images as codes in a small file",
    "decompress": "the images from a file of codes",
    "embed": "the codes of a split or of your own images, for TensorBoard's projector and as pictures",
    "outliers": "the examples that are most unusual to the model",
    "retrieve": "the images whose codes are nearest to an image's code",
    "probe": "the accuracy of a linear classifier on the codes, from few labels",
    "export": "the model as files for other programs: safetensors and ONNX",
    "curves": "a picture of the learning curves of one run or several",
    "compare": "runs side by side: what differs in their configs, their metrics and their pictures",
    "report": "one HTML page of a run, of several or of a sweep, to hand in",
    "runs": "all runs, their state and their best metric",
    "show": "one run: its config, its metrics, its files",
    "rm": "remove runs with all their files",
    "explain": "what a metric means: nnlab explain hole_psnr",
    "list": "models, data, noises, optimizers and experiments to choose from",
    "tensorboard": "open TensorBoard on all runs, or on one",
}

TELLING = ("train", "search", "resume", "batch-size", "rm", "tensorboard")  # verbs that say themselves what they do, or ask
