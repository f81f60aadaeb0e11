"""The contraction against torch.func's Jacobian: in closed form for one layer, without a bias for several."""

from __future__ import annotations

import pytest
import torch
from conftest import built

from nnlab.data.spec import Batch, DataSpec
from nnlab.families.ae.contractive_ae import ContractiveAE
from nnlab.metrics.jacobian import squared_jacobian

SPEC = DataSpec("tiles", "image", (1, 6, 5))


def model_of(hidden: list[int], activation: str) -> ContractiveAE:
    torch.manual_seed(0)
    model = ContractiveAE(SPEC, hidden=hidden, latent_dim=7, activation=activation, weight=0.3).requires_grad_(False)
    for layer in model.layers:
        layer.weight.mul_(4)  # so that slopes differ
    return model


def images(n: int) -> torch.Tensor:
    return torch.rand((n, *SPEC.shape), generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("activation", ["sigmoid", "tanh"])
def test_of_one_layer_the_contraction_is_the_jacobian(activation: str) -> None:
    model, x = model_of([], activation), images(20)
    found = model.contraction(model.hidden(x), torch.Generator())
    torch.testing.assert_close(found, squared_jacobian(model.encode, x), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("activation", ["sigmoid", "tanh"])
@pytest.mark.parametrize("hidden", [[9], [12, 8]])
def test_of_several_layers_it_is_the_jacobian_in_the_mean(hidden: list[int], activation: str) -> None:
    model, x, draws = model_of(hidden, activation), images(3), 4000
    many = x.repeat(draws, 1, 1, 1)
    found = model.contraction(model.hidden(many), torch.Generator().manual_seed(1)).view(draws, 3)
    exact = squared_jacobian(model.encode, x)
    assert found.std(0).min() > 0
    assert ((found.mean(0) - exact).abs() < 4 * found.std(0) / draws**0.5).all()


@pytest.mark.parametrize("hidden", [[], [9]])
def test_its_gradient_is_the_jacobians(hidden: list[int]) -> None:
    """By finite differences of the exact norm along a direction of the weights."""
    model = model_of(hidden, "tanh").double()
    x, draws = images(2).double(), 1 if not hidden else 20000
    weight = model.layers[0].weight.requires_grad_()
    many = x.repeat(draws, 1, 1, 1)
    h, found = many.flatten(1), []
    for layer in model.layers:  # `hidden` gives float32, too coarse for differences
        h = model.squash(layer(h))
        found.append(h)
    if hidden:
        signs = (torch.rand(h.shape, generator=torch.Generator().manual_seed(0)) < 0.5).double() * 2 - 1
        back = signs
        for layer, values in zip(reversed(model.layers), reversed(found), strict=True):
            back = (back * model.slope(values)) @ layer.weight
        mean = back.square().sum(1).mean()
    else:
        mean = model.contraction(found, torch.Generator()).mean()
    mean.backward()
    direction = torch.randn(weight.shape, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    encode = lambda inputs: model.encoder(inputs)  # noqa: E731
    with torch.no_grad():
        ends = []
        for step in (1e-5, -1e-5):
            weight += step * direction
            ends.append(squared_jacobian(encode, x).mean())
            weight -= step * direction
    exact = (ends[0] - ends[1]) / 2e-5
    assert (weight.grad * direction).sum().item() == pytest.approx(exact.item(), rel=1e-4 if not hidden else 0.05)


def test_the_heavier_the_penalty_the_smaller_the_jacobian() -> None:
    norms = []
    for weight in (0, 0.1, 1):
        experiment = built("model=contractive_ae", "model.latent_dim=20", f"model.weight={weight}", "trainer.epochs=15")
        experiment.initialize()
        experiment.trainer.train(0, experiment.trainer.total_steps, lambda: False)
        norms.append(experiment.trainer.evaluate("validation")["jacobian"])
    assert norms[0] > norms[1] > norms[2] > 0


@pytest.mark.parametrize("hidden", ["[]", "[9]"])
def test_it_begins_by_giving_the_mean_back(hidden: str) -> None:
    experiment = built("model=contractive_ae", f"model.hidden={hidden}")
    experiment.initialize()
    train = experiment.data.train
    mean = train.values(train.rows).mean(0, keepdim=True)
    expected = mean.clamp(0.01, 0.99)
    torch.testing.assert_close(experiment.model.reconstruct(mean), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("hidden", [[], [9]])
def test_the_way_back_has_the_weights_of_the_way_there(hidden: list[int]) -> None:
    model = model_of(hidden, "sigmoid")
    names = {name for name, _ in model.named_parameters()}
    assert sum("weight" in name for name in names) == len(hidden) + 1
    z = torch.rand(4, 7)
    h = z
    for i, layer in reversed(list(enumerate(model.layers))):
        h = (h @ layer.weight + model.decoder[0].biases[i]).sigmoid()
    torch.testing.assert_close(model.decode(z), h.unflatten(1, SPEC.shape))


def test_the_loss_is_the_error_and_the_weighted_contraction() -> None:
    model, x = model_of([], "sigmoid"), images(5)
    terms = model.loss(Batch(x, x), torch.Generator())
    torch.testing.assert_close(terms["loss"], model.score(x) + 0.3 * squared_jacobian(model.encode, x), rtol=1e-4, atol=1e-5)
