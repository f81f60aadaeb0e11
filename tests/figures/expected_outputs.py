"""Figures of outputs and of autoencoders: each by numpy, SciPy or scikit-learn, over a whole split at once."""

from __future__ import annotations

import numpy as np
import torch
from recorded_run import Asked, f64, fork_rng
from scipy import linalg, ndimage, stats
from scipy.special import expit
from sklearn import decomposition

from nnlab.training.trainer import evaluating

RANGE = 1.0  # of digits


def per_example(a: np.ndarray) -> np.ndarray:
    return a.reshape(len(a), -1)


def psnr_of(errors: np.ndarray) -> float:
    return float(np.mean(-10 * np.log10(np.maximum(errors / RANGE**2, 1e-10))))


def mse(asked: Asked) -> float:
    return float(((asked.output - asked.part.x) ** 2).mean())


def psnr(asked: Asked) -> float:
    return psnr_of(per_example((asked.output - asked.part.x) ** 2).mean(1))


def similarity(a: np.ndarray, b: np.ndarray) -> float:
    """SSIM by SciPy's filters (Wang et al. 2004)."""
    kernel = np.exp(-0.5 * (np.arange(-5, 6) / 1.5) ** 2)

    def smooth(image: np.ndarray) -> np.ndarray:
        for axis in (0, 1):
            image = ndimage.correlate1d(image, kernel / kernel.sum(), axis=axis, mode="mirror")
        return image

    values = []
    for x, y in zip(a.reshape(-1, *a.shape[-2:]), b.reshape(-1, *b.shape[-2:]), strict=True):
        mx, my = smooth(x), smooth(y)
        sx, sy, sxy = smooth(x * x) - mx**2, smooth(y * y) - my**2, smooth(x * y) - mx * my
        values.append(((2 * mx * my + 1e-4) * (2 * sxy + 9e-4) / ((mx**2 + my**2 + 1e-4) * (sx + sy + 9e-4))).mean())
    return float(np.mean(values))


def ssim(asked: Asked) -> float:
    return similarity(asked.output, asked.part.x)


def given(asked: Asked) -> np.ndarray:
    """The inputs, enlarged to the size of the targets, a single channel as often as the targets have some."""
    x, shape = f64(asked.part.batch.input), asked.part.x.shape
    if x.shape[2:] != shape[2:]:
        down, across = (cubic(shape[axis], x.shape[axis]) for axis in (2, 3))
        x = np.einsum("ih,nchw,jw->ncij", down, x, across)
    return np.broadcast_to(x, shape)


def cubic(large: int, small: int) -> np.ndarray:
    """(large, small) weights of bicubic interpolation (Keys 1981, a = −0.75) between pixels; the border goes on."""
    weights = np.zeros((large, small))
    for i, place in enumerate((np.arange(large) + 0.5) * small / large - 0.5):
        for j in range(int(np.floor(place)) - 1, int(np.floor(place)) + 3):
            d = abs(place - j)
            near = 1.25 * d**3 - 2.25 * d**2 + 1
            far = -0.75 * d**3 + 3.75 * d**2 - 6 * d + 3
            weights[i, min(max(j, 0), small - 1)] += near if d <= 1 else far
    return weights


def pooled_psnr(asked: Asked) -> float:
    return float(-10 * np.log10(mse(asked) / RANGE**2))


def colour_variance(asked: Asked) -> float:
    """Of the outputs by that of the targets: the channels' differences from the brightness, over all pixels of all images."""

    def strength(x: np.ndarray) -> float:
        colours = x - np.tensordot([0.299, 0.587, 0.114], x, (0, 1))[:, None]
        return float(colours.transpose(1, 0, 2, 3).reshape(3, -1).var(1).sum())

    return strength(asked.output) / strength(asked.part.x)


def first_stage(asked: Asked) -> np.ndarray:
    """What srgan's network of the first stage makes of the inputs."""
    with torch.no_grad(), evaluating(asked.model):
        return f64(asked.model.srresnet(asked.part.batch.input))


def srresnet_psnr(asked: Asked) -> float:
    return psnr_of(per_example((first_stage(asked) - asked.part.x) ** 2).mean(1))


def srresnet_ssim(asked: Asked) -> float:
    return similarity(first_stage(asked), asked.part.x)


def input_psnr(asked: Asked) -> float:
    return psnr_of(per_example((given(asked) - asked.part.x) ** 2).mean(1))


def input_ssim(asked: Asked) -> float:
    return similarity(given(asked), asked.part.x)


def psnr_gain(asked: Asked) -> float:
    return psnr(asked) - input_psnr(asked)


def in_holes(asked: Asked, filled: np.ndarray) -> float:
    errors = []
    for a, b, lost in zip(filled, asked.part.x, asked.part.batch.mask.numpy(), strict=True):
        if lost.any():
            errors.append(((a - b)[lost] ** 2).mean())
    return psnr_of(np.array(errors))


def hole_psnr(asked: Asked) -> float:
    return in_holes(asked, asked.output)


def hole_psnr_mean_fill(asked: Asked) -> float:
    return in_holes(asked, np.broadcast_to(asked.train.x.mean(0), asked.part.x.shape))


def hole_psnr_interpolation(asked: Asked) -> float:
    filled = given(asked).copy()
    for n, c, i, j in np.argwhere(asked.part.batch.mask.numpy()):
        filled[n, c, i, j] = neighbours(given(asked)[n, c], asked.part.batch.mask.numpy()[n, c], i, j)
    return in_holes(asked, filled)


def neighbours(image: np.ndarray, lost: np.ndarray, i: int, j: int) -> float:
    """A lost pixel from the nearest known ones of its row and its column, each with the inverse of its distance as weight."""
    total = weights = 0.0
    for di, dj in ((0, 1), (0, -1), (1, 0), (-1, 0)):
        a, b, steps = i + di, j + dj, 1
        while 0 <= a < image.shape[0] and 0 <= b < image.shape[1] and lost[a, b]:
            a, b, steps = a + di, b + dj, steps + 1
        if 0 <= a < image.shape[0] and 0 <= b < image.shape[1]:
            total, weights = total + image[a, b] / steps, weights + 1 / steps
    return total / weights


def squared_error(asked: Asked) -> float:
    return float(per_example((asked.output - asked.part.x) ** 2).sum(1).mean())


def layer_error(asked: Asked) -> float:
    return layer_error_of(asked.model, int(asked.stage.removeprefix("layer_")), asked.part.x)


def layer_error_of(model, number: int, x: np.ndarray) -> float:
    """Of a layer of a stacked autoencoder alone: Σ (x̂ − x)², x the pixels or the layer below before its activation."""
    layers = [[(f64(part.weight), f64(part.bias)) for part in model.layer(i + 1)] for i in range(model.layers)]
    x = per_example(x)
    for i, ((v, c), _) in enumerate(layers[: number - 1]):
        x = (x * expit(x) if i else x) @ v.T + c
    (v, c), (w, b) = layers[number - 1]
    code = (x if number == 1 else x * expit(x)) @ v.T + c
    again = (code if number == model.layers else code * expit(code)) @ w.T + b
    return float((((expit(again) if number == 1 else again) - x) ** 2).sum(1).mean())


def codes(asked: Asked) -> np.ndarray:
    with torch.no_grad(), evaluating(asked.model):
        return f64(asked.model.encode(asked.part.batch.input))


def penalty_of(model, codes: np.ndarray) -> float:
    """Σ h, Σ h², or the divergence of the mean activities of all these codes from the target."""
    if model.penalty == "kl":
        wanted, found = np.array([[model.target], [1 - model.target]]), np.stack([codes.mean(0), 1 - codes.mean(0)])
        return float(stats.entropy(wanted, found).sum())
    return float((codes**2 if model.penalty == "l2" else codes).sum(1).mean())


def penalty(asked: Asked) -> float:
    return penalty_of(asked.model, codes(asked))


def sparse_loss(asked: Asked) -> float:
    return squared_error(asked) + asked.model.weight * penalty(asked)


def active_share(asked: Asked) -> float:
    return float((codes(asked) >= 0.1).mean())


def jacobians(model, inputs: torch.Tensor) -> np.ndarray:
    """(N, d, D) ∂f/∂x at each input."""
    found = [torch.autograd.functional.jacobian(lambda v: model.encode(v[None])[0], x) for x in inputs]
    return f64(torch.stack(found)).reshape(len(inputs), model.latent_dim, -1)


def jacobian(asked: Asked) -> float:
    """‖J‖², exactly."""
    return float((jacobians(asked.model.eval(), asked.part.batch.input) ** 2).sum((1, 2)).mean())


def signs(n: int, width: int, generator: torch.Generator) -> np.ndarray:
    return np.where(torch.rand((n, width), generator=generator).numpy() < 0.5, -1.0, 1.0)


def estimate(v: np.ndarray, j: np.ndarray) -> float:
    """E ‖v′J‖² with random signs v (Hutchinson 1990)."""
    return float((np.einsum("nd,ndx->nx", v, j) ** 2).sum(1).mean())


def contraction(asked: Asked) -> float:
    """Of one layer ‖J‖² itself."""
    if len(asked.model.layers) == 1:
        return jacobian(asked)
    with fork_rng(asked.trainer) as generator:
        v = np.concatenate([signs(len(batch), asked.model.latent_dim, generator) for batch in asked.part.batches])
    return estimate(v, jacobians(asked.model.eval(), asked.part.batch.input.clone()))


def contractive_loss(asked: Asked) -> float:
    return squared_error(asked) + asked.model.weight * contraction(asked)


def principal(asked: Asked) -> decomposition.PCA:
    return decomposition.PCA(asked.model.latent_dim, svd_solver="full").fit(per_example(asked.train.x))


def pca_mse(asked: Asked) -> float:
    x = per_example(asked.part.x)
    pca = principal(asked)
    return float(((pca.inverse_transform(pca.transform(x)) - x) ** 2).mean())


def principal_angle(asked: Asked) -> float:
    decoder = f64(asked.model.decoder[0].weight)
    return float(np.degrees(linalg.subspace_angles(decoder, principal(asked).components_.T).max()))
