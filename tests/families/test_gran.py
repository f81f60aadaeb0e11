"""The recurrent game: canvases that add up, and one step that is `dcgan`."""

from __future__ import annotations

import pytest
import torch
from conftest import QUIET, built
from torch import Tensor, nn

from nnlab.data.spec import DataSpec
from nnlab.families.gan.gran import GRAN

SPEC = DataSpec("own", "image", (1, 12, 12))


def a_model(**keys) -> GRAN:
    torch.manual_seed(0)
    return GRAN(SPEC, **{"channels": [4, 8], "latent_dim": 3, **keys})


def test_one_step_is_dcgan_to_the_bit_in_training_and_in_samples() -> None:
    ends = []
    for model in (["model=gran", "model.steps=1"], ["model=dcgan"]):
        experiment = built(*model, "data=digits", "model.channels=[4,8]", "trainer.batch_size=32", *QUIET, "device=cpu")
        experiment.initialize()
        experiment.trainer.train(0, 4, lambda: False)
        net = experiment.model.eval()
        ends.append(([p.detach() for p in net.parameters()], net.sample(5, torch.Generator().manual_seed(3))))
    (first, samples), (second, wanted) = ends
    assert len(first) == len(second)
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))
    assert torch.equal(samples, wanted)


def test_a_canvas_is_the_sum_of_all_changes_so_far_squashed_once() -> None:
    network = a_model(steps=3).generator.eval()
    z = torch.randn(4, 9, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        canvases, total = network.canvases(z), torch.zeros(4, 1, 12, 12)
        for t in range(3):
            before = None if t == 0 else 0.5 + 0.5 * total.tanh()
            total = total + network.change(z[:, 3 * t : 3 * t + 3], before, t)
            assert torch.allclose(canvases[t], 0.5 + 0.5 * total.tanh(), atol=1e-6)
        assert torch.equal(network(z), canvases[-1])
        assert not torch.allclose(canvases[0], canvases[1])


def test_a_step_looks_at_the_canvas_before_it() -> None:
    network = a_model(steps=2).generator.eval()
    z = torch.randn(2, 3, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        one, other = (network.change(z, torch.full((2, 1, 12, 12), value), 1) for value in (0.0, 1.0))
    assert not torch.allclose(one, other)


def test_each_step_has_its_own_statistics_and_all_share_the_other_weights() -> None:
    model = a_model(steps=3)
    one = {name for name, _ in a_model(steps=1).generator.named_parameters() if "of_step" not in name}
    shared = {name for name, _ in model.generator.named_parameters() if "of_step" not in name}
    assert one == {name for name in shared if not name.startswith(("look", "seen"))}, "steps add no other weights"
    norms = [m for m in model.generator.modules() if isinstance(m, nn.BatchNorm2d)]
    assert len(norms) == 2 * 3  # as many places as in dcgan, one layer per step
    model.train()
    model.generator(torch.randn(16, 9, generator=torch.Generator().manual_seed(1)))
    means: list[Tensor] = [layer.running_mean for layer in norms[:3]]
    assert all(not torch.allclose(means[i], means[j]) for i, j in ((0, 1), (1, 2), (0, 2)))
    assert all(layer.num_batches_tracked == 1 for layer in norms)


def test_the_last_state_of_a_sample_is_the_sample_and_its_codes_are_the_noises_of_all_steps() -> None:
    model = a_model(steps=3).eval()
    states = model.sample_steps(4, torch.Generator().manual_seed(0))
    assert list(states) == ["step_1", "step_2", "step_3"]
    assert torch.equal(states["step_3"], model.sample(4, torch.Generator().manual_seed(0)))
    assert (model.latent_dim, model.noise(2, None).shape) == (9, (2, 9))


@pytest.mark.parametrize("steps", [0, 6])
def test_the_number_of_steps_is_checked(nnlab, steps: int) -> None:
    status, _, error = nnlab("train", "model=gran", "data=digits", f"model.steps={steps}")
    assert status == 2
    assert "model.steps: expected a whole number between 1 and 5" in error
