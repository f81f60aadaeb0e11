from __future__ import annotations

import numpy as np
import pytest
import torch
from conftest import built

from nnlab.errors import BadInput
from nnlab.families.som import updates
from nnlab.families.som.init import plane
from nnlab.families.som.lattice import Lattice
from nnlab.families.som.neighbourhood import neighbourhood
from nnlab.families.som.options import Decay
from nnlab.metrics.som import distortion, topographic_error

SMALL = ("model=som", "model.rows=3", "model.columns=4")


def ready(*options: str):
    experiment = built(*SMALL, *options)
    experiment.initialize()
    split = experiment.data.train
    return experiment, split.values(split.rows[:60]).flatten(1)


@pytest.mark.parametrize("kind", ["gaussian", "bubble"])
@pytest.mark.parametrize("distance", ["euclidean", "cosine", "dot"])
def test_a_batch_step_is_the_double_loop(distance: str, kind: str) -> None:
    experiment, x = ready(f"model.distance={distance}", f"model.neighbourhood={kind}")
    model = experiment.model
    units, points, radius = model.units.double().numpy().copy(), x.double().numpy(), 1.2
    apart = model.lattice.distances.double().numpy()
    expected = np.zeros_like(units)
    weight, length = np.zeros(12), np.zeros(12)
    for point in points:
        d = {
            "euclidean": np.sqrt(((point - units) ** 2).sum(1)),
            "dot": 1 - units @ point,
            "cosine": 1 - units @ point / np.linalg.norm(point) / np.linalg.norm(units, axis=1),
        }[distance]
        for j in range(12):
            lateral = apart[j, d.argmin()]
            h = np.exp(-(lateral**2) / (2 * radius**2)) if kind == "gaussian" else float(lateral <= radius)
            expected[j] += h * point / (np.linalg.norm(point) if distance == "cosine" else 1)
            weight[j] += h
            length[j] += h * np.linalg.norm(point)
    if distance == "euclidean":
        expected /= weight[:, None]
    else:
        expected /= np.linalg.norm(expected, axis=1, keepdims=True)
        expected *= (length / weight)[:, None] if distance == "cosine" else 1
    sums = None
    for part in x.split(17):
        sums, _ = updates.gather(model, part, sums)
    updates.batch(model, sums, model.spread(radius))
    np.testing.assert_allclose(model.units, expected, atol=1e-5)


@pytest.mark.parametrize("distance", ["euclidean", "manhattan", "supremum", "cosine"])
def test_a_mini_batch_of_one_is_kohonens_rule(distance: str) -> None:
    experiment, x = ready(f"model.distance={distance}")
    model = experiment.model
    before, h = model.units.clone(), model.spread(1.5)
    winner = model.evaluate_split(x[:1]).argmin()
    expected = before + 0.3 * h[:, winner, None] * (x[:1] - before)
    updates.mini_batch(model, x[:1], h, 0.3)
    torch.testing.assert_close(model.units, expected)
    model.units.copy_(before)
    updates.online(model, x[:1], h, 0.3)
    torch.testing.assert_close(model.units, expected)


def test_what_a_mini_batch_leaves_of_a_unit_is_what_online_steps_leave() -> None:
    experiment, x = ready()
    model = experiment.model
    model.units.copy_(torch.eye(12, 64) * 100)  # one unit wins all of x, whose order then matters to nothing but the mean
    model.units[5] = x.mean(0)
    one = x[:1].expand(7, -1)
    before, h = model.units.clone(), model.spread(0.0)
    updates.mini_batch(model, one, h, 0.2)
    together = model.units.clone()
    model.units.copy_(before)
    updates.online(model, one, h, 0.2)
    torch.testing.assert_close(together, model.units)
    torch.testing.assert_close(together[5], before[5] + (1 - 0.8**7) * (x[0] - before[5]))


def test_under_dot_units_keep_length_one() -> None:
    experiment, _ = ready("model.distance=dot")
    experiment.trainer.train(0, 5, lambda: False)
    torch.testing.assert_close(experiment.model.units.norm(dim=1), torch.ones(12))


def test_lattices_join_whom_they_should() -> None:
    assert Lattice(3, 4).neighbours.sum(1).tolist() == [2, 3, 3, 2, 3, 4, 4, 3, 2, 3, 3, 2]
    assert Lattice(4, 4, periodic=True).neighbours.sum(1).unique().tolist() == [4]
    assert Lattice(4, 5, "hexagonal", periodic=True).neighbours.sum(1).unique().tolist() == [6]
    assert Lattice(5, 5, "hexagonal").neighbours.sum(1).max() == 6
    assert Lattice(1, 6).neighbours.sum(1).tolist() == [1, 2, 2, 2, 2, 1]
    assert Lattice(1, 6, periodic=True).distances[0].tolist() == [0, 1, 2, 3, 2, 1]
    for lattice in (Lattice(4, 6, "hexagonal", periodic=True), Lattice(3, 5)):
        assert torch.equal(lattice.distances, lattice.distances.T)
        assert not lattice.distances.diagonal().any()


def test_neighbourhoods_by_hand() -> None:
    d = torch.tensor([0.0, 1.0, 2.0, 4.0])
    torch.testing.assert_close(neighbourhood("gaussian", d, 2.0), torch.exp(-(d**2) / 8))
    assert neighbourhood("bubble", d, 2.0).tolist() == [1, 1, 1, 0]
    hat = neighbourhood("mexican_hat", d, 2.0)
    assert hat[0] == 1
    assert hat[2].abs() < 1e-6
    assert hat[3] < 0
    for name in ("gaussian", "bubble", "mexican_hat", "none"):
        assert neighbourhood(name, d, 0.0).tolist() == [1, 0, 0, 0]


def test_schedules_go_from_start_to_end() -> None:
    for shape, middle in (("exponential", 0.1), ("linear", 0.505), ("inverse", 1 / 50.5)):
        decay = Decay(start=1.0, end=0.01, shape=shape)
        assert [decay.at(t) for t in (0.0, 0.5, 1.0)] == pytest.approx([1.0, middle, 0.01])


def test_the_plane_spreads_as_widely_as_the_data() -> None:
    rng = np.random.default_rng(0)
    np.savez("wide.npz", x_train=5 + rng.normal(size=(1000, 3)) * [0.1, 3, 1])
    own = ("data=npz", "data.root=.", "data.file=wide.npz", "data.standardize=false", "data.validation=0", "data.test=0.1")
    split = built(*SMALL, *own).data.train
    units = plane(split, Lattice(5, 9)).double()
    x = split.values(split.rows).double()
    deviations = torch.linalg.svdvals((units - units.mean(0)) / 45**0.5)
    np.testing.assert_allclose(deviations[:2], torch.linalg.svdvals((x - x.mean(0)) / len(x) ** 0.5)[:2], rtol=1e-4)
    np.testing.assert_allclose(units.mean(0), x.mean(0), atol=1e-4)
    assert deviations[2] < 1e-5


def test_the_errors_by_hand() -> None:
    d = torch.tensor([[0.1, 0.2, 3.0], [0.1, 3.0, 0.2]])
    lattice = Lattice(1, 3)
    assert topographic_error(d, lattice.neighbours).tolist() == [0, 1]
    h = torch.tensor([[1.0, 0.5, 0.0], [0.5, 1.0, 0.5], [0.0, 0.5, 1.0]])
    torch.testing.assert_close(distortion(d, h, squared=True), torch.tensor([0.03, 4.51]))
    torch.testing.assert_close(distortion(d, h, squared=False), torch.tensor([0.2, 1.6]))


def test_figures_are_taken_under_the_metric_that_trained() -> None:
    experiment, _ = ready("model.distance=manhattan")
    part = experiment.data.validation
    x = part.values(part.rows).flatten(1)
    expected = torch.cdist(x, experiment.model.units, p=1).amin(1).mean().item()
    assert experiment.trainer.evaluate("validation")["quantization_error"] == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("how", ["som", "som_batch", "som_online"])
def test_every_way_of_learning_finds_a_map(how: str) -> None:
    experiment, _ = ready("data=moons", f"trainer={how}", "trainer.epochs=5", "model.init=random")
    trainer = experiment.trainer
    first = trainer.evaluate("test")
    trainer.train(0, trainer.total_steps, lambda: False)
    last = trainer.evaluate("test")
    assert last["quantization_error"] < first["quantization_error"]
    assert last["topographic_error"] < 0.3 < first["topographic_error"]


REFUSED = {
    "a metric without a batch rule": (
        ("trainer=som_batch", "model.distance=manhattan"),
        "there is no batch rule; choose trainer=som .* or one of the distances euclidean, minkowski with p=2, dot, cosine",
    ),
    "a rate in a batch": (("trainer=som", "trainer.update=batch"), "trainer.rate: not used"),
    "no rate online": (("trainer=som_batch", "trainer.update=online"), "trainer.rate: online updates need one"),
    "a hat in batches": (("model.neighbourhood=mexican_hat",), "a mexican_hat pushes units away"),
    "a radius without a neighbourhood": (("model.neighbourhood=none",), "trainer.radius: not used without a neighbourhood"),
    "no p": (("model.distance=minkowski",), "model.p: minkowski's distance needs its p"),
    "a p of no use": (("model.p=3",), "model.p: is not used with distance=euclidean"),
    "weights of another length": (("model.distance=minkowski", "model.p=1", "model.weights=[1,2]"), "2 of 64 features"),
    "a chain of hexagons": (("model.rows=1", "model.lattice=hexagonal"), "a chain cannot be hexagonal"),
    "an odd torus": (("model.lattice=hexagonal", "model.periodic=true"), "3 rows of hexagons cannot form a torus"),
}


@pytest.mark.parametrize(("options", "message"), REFUSED.values(), ids=list(REFUSED))
def test_what_makes_no_sense_is_refused(options: tuple[str, ...], message: str) -> None:
    with pytest.raises(BadInput, match=message):
        ready(*options)


def test_a_three_dimensional_map_is_refused(nnlab) -> None:
    status, _, error = nnlab("train", "model=som", "model.rows=[4,4]")
    assert status == 2
    assert error == "nnlab: model.rows: expected a whole number ≥ 1, got [4, 4]\n"
