"""Codes on a plane: which are drawn, and where."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from matplotlib.colors import to_rgb
from sklearn.decomposition import PCA

from nnlab.data.inputs import Inputs, spread
from nnlab.data.spec import Batch, DataSpec
from nnlab.errors import BadInput
from nnlab.plotting import embedding
from nnlab.plotting.axes import PALETTE
from nnlab.plotting.embedding import Sample, code_plot, encoded, principal_plane, tsne_plot

CODES = (np.random.default_rng(0).normal(size=(200, 6)) * [1, 5, 2, 0.1, 3, 1] + 7).astype(np.float32)
LABELS = np.arange(200) % 3
BY_CLASS = LABELS.argsort(kind="stable")
SPEC = DataSpec("any", "image", (1, 2, 2))


@pytest.fixture
def drawings(monkeypatch):
    """The axes of every plot that is drawn."""
    found = []
    for name in ("canvas", "blank"):
        plain = getattr(embedding, name)

        def kept(*arguments, plain=plain):
            made = plain(*arguments)
            enter = made.__enter__
            made.__class__ = type("Kept", (type(made),), {"__enter__": lambda self: found.append(enter()) or found[-1]})
            return made

        monkeypatch.setattr(embedding, name, kept)
    return found


def drawn_points(axes) -> np.ndarray:
    return np.concatenate([cloud.get_offsets() for cloud in axes.collections])


def test_the_principal_plane_is_that_of_scikit_learn_but_for_the_signs():
    xy, shares = principal_plane(CODES)
    peer = PCA(2, svd_solver="full").fit(CODES.astype(np.float64))
    assert np.allclose(np.abs(xy), np.abs(peer.transform(CODES)), atol=1e-5)
    assert np.allclose(shares, peer.explained_variance_ratio_, rtol=1e-6)


def test_the_sign_of_a_component_does_not_depend_on_the_order_of_the_codes():
    xy, _ = principal_plane(CODES)
    turned, _ = principal_plane(CODES[::-1])
    assert np.allclose(xy, turned[::-1], atol=1e-6)
    assert np.corrcoef(xy[:, 0], CODES[:, 1])[0, 1] > 0.9, "it points to where its largest entry is positive"


@pytest.mark.parametrize("codes", [np.ones((5, 4), np.float32), CODES[:1]])
def test_codes_that_do_not_vary_lie_on_one_point(codes):
    xy, shares = principal_plane(codes)
    assert not xy.any()
    assert not shares.any()
    assert code_plot(codes, None, ()).shape[2] == 3


def test_the_axes_say_how_much_of_the_variance_they_show(drawings):
    code_plot(CODES, LABELS, ("a", "b", "c"))
    xy, shares = principal_plane(CODES)
    axes = drawings[0].axes
    assert axes.get_xlabel() == f"principal component 1 ({shares[0]:.1%} of the variance)"
    assert axes.get_ylabel() == f"principal component 2 ({shares[1]:.1%} of the variance)"
    assert np.allclose(drawn_points(axes), xy[BY_CLASS])


def test_codes_of_two_coordinates_are_drawn_as_they_are(drawings):
    code_plot(CODES[:, :2], LABELS, ("a", "b", "c"))
    axes = drawings[0].axes
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("z0", "z1")
    assert np.allclose(drawn_points(axes), CODES[BY_CLASS, :2])


def test_the_legend_names_each_class_once_in_its_colour(drawings):
    code_plot(CODES, LABELS, ("a", "b", "c"))
    legend = drawings[0].axes.figure.legends[0]
    assert [text.get_text() for text in legend.get_texts()] == ["a", "b", "c"]
    shown = [tuple(handle.get_facecolor()[0][:3]) for handle in legend.legend_handles]
    assert shown == [to_rgb(colour) for colour in PALETTE[:3]]


@pytest.mark.parametrize("labels", [LABELS, None])
def test_codes_of_one_coordinate_are_counted_where_they_lie(drawings, labels):
    code_plot(CODES[:, :1], labels, ("a", "b", "c"))
    axes = drawings[0].axes
    counts = np.array([[bar.get_height() for bar in bars] for bars in axes.containers])
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("z0", "codes")
    assert counts.sum(1).tolist() == ([67, 67, 66] if labels is not None else [200])


def test_clusters_stay_apart_under_tsne(drawings):
    centres = np.eye(3, 6) * 40
    codes = (np.random.default_rng(1).normal(size=(90, 6)) + centres[LABELS[:90]]).astype(np.float32)
    tsne_plot(codes, LABELS[:90], ("a", "b", "c"))
    axes = drawings[0].axes
    xy, label = drawn_points(axes), np.sort(LABELS[:90])
    distance = np.linalg.norm(xy[:, None] - xy[None], axis=2) + 1e9 * np.eye(90)
    assert (label[distance.argmin(1)] == label).all()
    assert axes.get_xlabel() == "t-SNE of 90 codes, perplexity 30"
    assert not axes.get_xticks().size


class Sums:
    """Codes an image by its sum, and its negative."""

    spec = SPEC

    def encode(self, x: torch.Tensor) -> torch.Tensor:
        total = x.flatten(1).sum(1)
        return torch.stack([total, -total], 1)


def inputs(x: torch.Tensor, batch: int) -> Inputs:
    return Inputs("a test", (Batch(part, part) for part in x.split(batch)), np.arange(len(x)), 32)


@pytest.mark.parametrize(("n", "most"), [(1, 5), (5, 5), (23, 5), (23, 1), (23, 100)])
@pytest.mark.parametrize("batch", [1, 4, 100])
def test_a_sample_is_kept_in_passing_however_the_batches_fall(n, most, batch):
    x = torch.arange(n)[:, None, None, None].expand(-1, *SPEC.shape) / n
    sample = Sample(spread(n, most))
    codes = np.concatenate(list(encoded(Sums(), inputs(x, batch), sample)))
    assert np.array_equal(codes, Sums().encode(x).numpy())
    assert len(sample.places) == min(n, most)
    assert (np.diff(sample.places) > 0).all()
    assert np.array_equal(sample.codes, codes[sample.places])
    assert np.array_equal(sample.thumbnails[:, 0, 0, 0], (x[sample.places, 0, 0, 0] * 255).round().numpy())


def test_a_code_that_is_not_finite_is_named():
    x = torch.zeros(9, *SPEC.shape)
    x[7] = torch.inf
    with pytest.raises(BadInput, match="the code of 7 of a test is not finite"):
        list(encoded(Sums(), inputs(x, 4), Sample(spread(9, 5))))
