"""vq_vae: its codebook, the gradient straight through it, the prior over its grids."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch
from conftest import built, only_run

from nnlab.data.spec import Batch, DataSpec
from nnlab.families.vae.vq_pictures import colours, enlarged
from nnlab.families.vae.vq_vae import VQVAE, straight_through
from nnlab.nn.causal import CausalTransformer, attention
from nnlab.nn.codebook import Codebook, perplexity
from nnlab.training.trainer import evaluating

SPEC = DataSpec("own", "image", (1, 8, 8))
SMALL = ["model=vq_vae", "model.channels=[4,8]", "model.codes=16", "model.code_dim=4", "trainer.precision=float32"]


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def small(**changes) -> VQVAE:
    torch.manual_seed(0)
    sizes = {"codes": 16, "code_dim": 4, "channels": [4, 8], "prior_width": 8, "prior_layers": 2, "prior_heads": 2}
    return VQVAE(SPEC, **(sizes | changes))


def codebook(codes: int, dim: int, decay: float = 0.9, restart: float = 0.0) -> Codebook:
    torch.manual_seed(1)
    return Codebook(codes, dim, decay=decay, restart=restart)


def images(n: int = 6) -> torch.Tensor:
    return torch.rand((n, 1, 8, 8), generator=seeded())


# -- the codebook ---------------------------------------------------------------------------------------------------


def test_a_place_gets_the_nearest_code_however_far_all_are_from_the_origin() -> None:
    book, z = codebook(16, 4), torch.randn((200, 4), generator=seeded())
    for shift in (0.0, 300.0):
        with torch.no_grad():
            book.vectors += shift
        expected = (z + shift).double()[:, None] - book.vectors.double()
        assert torch.equal(book.nearest(z + shift), expected.square().sum(2).argmin(1))


def test_distances_are_not_rounded_to_bfloat16_where_networks_are() -> None:
    book, z = codebook(256, 8), torch.randn((1000, 8), generator=seeded())
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(book.nearest(z), (z[:, None].double() - book.vectors.double()).square().sum(2).argmin(1))


def test_the_moving_averages_are_their_recursion() -> None:
    book = codebook(5, 3, decay=0.7)
    counts, sums, vectors = np.zeros(5), np.zeros((5, 3)), book.vectors.double().numpy().copy()
    for step in range(4):
        z = torch.randn((40, 3), generator=seeded(step))
        index = book.nearest(z)
        book.update(z, index, seeded())
        for i in range(5):
            own = z[index == i].double().numpy()
            counts[i] = 0.7 * counts[i] + 0.3 * len(own)
            sums[i] = 0.7 * sums[i] + 0.3 * own.sum(0)
        np.testing.assert_allclose(book.counts.numpy(), counts, rtol=1e-5)
        seen = counts > 0  # the others stay
        vectors[seen] = sums[seen] / counts[seen, None]
        np.testing.assert_allclose(book.vectors.numpy(), vectors, rtol=1e-4, atol=1e-5)


def test_with_the_same_batch_again_and_again_the_codes_are_means_as_in_k_means() -> None:
    book, z = codebook(4, 2, decay=0.5), torch.randn((100, 2), generator=seeded())
    for _ in range(200):
        book.update(z, book.nearest(z), seeded())
    index = book.nearest(z)
    for i in index.unique():
        assert torch.allclose(book.vectors[i], z[index == i].mean(0), atol=1e-5)


def test_a_dead_code_comes_back_from_the_batch_and_only_where_that_is_asked_for() -> None:
    z = torch.randn((100, 2), generator=seeded())
    for restart in (0.0, 0.1):
        book = codebook(4, 2, restart=restart)
        with torch.no_grad():
            book.vectors[3] = 1e3
        for step in range(60):
            book.update(z, book.nearest(z), seeded(step))
        assert book.vectors.isfinite().all()
        assert bool((book.nearest(z) == 3).any()) == (restart > 0)
        stays = torch.allclose(book.vectors[3], torch.tensor(1e3), rtol=1e-4)
        assert stays == (restart == 0), "a code that is never used stays where it is"


def test_a_code_that_nothing_chooses_is_replaced_in_the_first_update() -> None:
    book, z = codebook(4, 2, decay=0.99, restart=0.1), torch.randn((100, 2), generator=seeded())
    with torch.no_grad():
        book.vectors[3] = 1e3
    book.update(z, book.nearest(z), seeded())
    assert (book.vectors[3] - z).abs().amax(1).min() < 1e-6


def test_codes_that_are_used_are_not_restarted() -> None:
    plain, restarting = codebook(4, 2), codebook(4, 2, restart=0.1)
    with torch.no_grad():
        for book in (plain, restarting):
            book.vectors.copy_(torch.tensor([[1.0, 1], [1, -1], [-1, 1], [-1, -1]]))
    z = torch.randn((400, 2), generator=seeded())
    for _ in range(50):
        for book in (plain, restarting):
            book.update(z, book.nearest(z), seeded())
    assert torch.equal(plain.vectors, restarting.vectors)


def test_the_perplexity_is_the_number_of_codes_that_are_used_alike() -> None:
    assert perplexity(torch.full((32,), 7.0)).item() == pytest.approx(32, rel=1e-5)
    assert perplexity(torch.tensor([5.0, 0, 5, 0, 5])).item() == pytest.approx(3, rel=1e-5)
    assert perplexity(torch.tensor([0.0, 9, 0])).item() == pytest.approx(1)


def test_a_codebook_begins_with_places_of_the_data() -> None:
    trainer = built(*SMALL).trainer
    model, data = trainer.model, trainer.data.train
    model.init_from_data(data)
    z = model.features(data.values(data.rows)).flatten(0, 1)
    vectors = model.codebook.vectors
    assert ((vectors[:, None] - z).abs().amax(2).amin(1) < 1e-5).all()
    assert len(vectors.unique(dim=0)) == len(vectors)


# -- the autoencoder ------------------------------------------------------------------------------------------------


def test_the_gradient_goes_straight_through() -> None:
    model = small().eval()
    x = images()
    z = model.features(x).detach().requires_grad_()
    e = model.codebook(model.encode_indices(x)).detach().requires_grad_()
    weight = torch.randn((len(x), *SPEC.shape), generator=seeded())
    (model.output(straight_through(z, e.detach())) * weight).sum().backward()
    (model.output(e) * weight).sum().backward()
    assert torch.allclose(z.grad, e.grad, atol=1e-6)
    assert z.grad.abs().max() > 0


def test_the_loss_is_its_equation() -> None:
    model = small(commitment=0.7).eval()
    batch = Batch(images(), images())
    terms = model.loss(batch, seeded())
    z, e = model.features(batch.input), model.codebook(model.encode_indices(batch.input))
    assert torch.allclose(terms["commitment"], (z - e).square().sum((1, 2)), rtol=1e-5)
    assert torch.allclose(terms["loss"], terms["reconstruction"] + 0.7 * terms["commitment"], rtol=1e-6)
    nats = -model.likelihood.log_prob(model.output(e), batch.target)
    assert torch.allclose(terms["reconstruction"], nats, rtol=1e-5)


def test_codes_follow_in_training_alone() -> None:
    model = small()
    before = model.codebook.vectors.clone()
    with evaluating(model):
        model.loss(Batch(images(), images()), seeded())
    assert torch.equal(model.codebook.vectors, before)
    model.loss(Batch(images(), images()), seeded())
    assert not torch.equal(model.codebook.vectors, before)


def test_what_is_encoded_is_a_grid_of_code_vectors_and_decodes_to_the_reconstruction() -> None:
    model = small().eval()
    x = images()
    vectors = model.encode(x).view(-1, 4)
    assert (vectors[:, None] == model.codebook.vectors).all(2).any(1).all()
    assert torch.equal(model.decode(model.encode(x)), model.reconstruct(x))


# -- the prior ------------------------------------------------------------------------------------------------------


def prior(symbols: int = 3, length: int = 4) -> CausalTransformer:
    torch.manual_seed(2)
    made = CausalTransformer(symbols, length, width=8, layers=2, heads=2, dropout=0.0)
    for parameter in made.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    return made.eval()


def every(symbols: int, length: int) -> torch.Tensor:
    return torch.tensor(list(itertools.product(range(symbols), repeat=length)))


@torch.no_grad()
def test_the_probabilities_of_all_grids_add_up_to_one() -> None:
    assert prior().log_prob(every(3, 4)).double().exp().sum().item() == pytest.approx(1, abs=1e-5)


@torch.no_grad()
def test_a_symbol_is_told_from_those_before_it_alone() -> None:
    made, symbols = prior(5, 6), torch.randint(5, (1, 6), generator=seeded())
    logits = made(symbols)
    for place in range(6):
        other = symbols.clone()
        other[0, place] = (other[0, place] + 1) % 5
        changed = (made(other) - logits).abs().amax(2)[0] > 1e-6
        assert not changed[: place + 1].any()
        assert changed[place + 1 :].all()


@torch.no_grad()
def test_samples_come_as_often_as_the_prior_says() -> None:
    made, n = prior(3, 3), 20000
    drawn = made.sample(n, seeded())
    share = torch.bincount((drawn * torch.tensor([9, 3, 1])).sum(1), minlength=27) / n
    chance = made.log_prob(every(3, 3)).exp()
    error = (share - chance) / (chance * (1 - chance) / n).sqrt()
    assert error.abs().max() < 4.5
    assert error.square().mean() < 2


@torch.no_grad()
def test_a_prior_that_has_not_learned_is_uniform() -> None:
    made = CausalTransformer(7, 5, width=8, layers=1, heads=1, dropout=0.0)
    assert torch.allclose(made.log_prob(torch.randint(7, (3, 5))), torch.full((3,), -5 * math.log(7)))


def test_a_prior_learns_a_sequence_whose_entropy_is_known() -> None:
    torch.manual_seed(0)
    made = CausalTransformer(4, 5, width=16, layers=1, heads=2, dropout=0.0)
    optimizer = torch.optim.Adam(made.parameters(), 1e-2)
    for step in range(150):  # the first symbol is drawn evenly, each other is the one before it plus one
        first = torch.randint(4, (64, 1), generator=seeded(step))
        loss = -made.log_prob((first + torch.arange(5)) % 4).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert math.log(4) - 1e-3 < loss.item() < math.log(4) + 0.05


# -- two stages -----------------------------------------------------------------------------------------------------


def test_the_first_stage_leaves_the_prior_and_the_second_all_but_the_prior() -> None:
    trainer = built(*SMALL).trainer
    for stage in (0, 1):
        trainer.start_stage(stage)
        before = {name: value.clone() for name, value in trainer.model.state_dict().items()}
        trainer.train(0, 3, lambda: False)
        moved = {name for name, value in trainer.model.state_dict().items() if not torch.equal(value, before[name])}
        assert moved
        assert {name.startswith("prior.") for name in moved} == {stage == 1}


def test_figures_of_the_last_stage_add_up_and_bound_the_likelihood(nnlab) -> None:
    status, _, error = nnlab("train", *SMALL, "trainer.pretraining.epochs=2", "trainer.epochs=2", "trainer.show_every=never")
    assert status == 0, error
    last = [record for record in only_run().read_metrics() if record["split"] == "test"][-1]
    assert last["loss"] == pytest.approx(last["kl"])
    assert last["negative_elbo"] == pytest.approx(last["reconstruction"] + last["kl"], rel=1e-6)
    assert last["loss"] < 4 * math.log(16), "better than a uniform prior"
    assert 1 <= last["perplexity"] <= 16 * last["codebook_usage"] + 1e-4
    first = [record for record in only_run().read_metrics() if record.get("stage") == "autoencoder"]
    assert {"loss", "reconstruction", "commitment", "perplexity", "mse", "psnr", "codebook_usage"} <= first[-1].keys()


def test_the_perplexity_is_of_the_whole_split_and_no_mean_of_batches() -> None:
    trainer = built(*SMALL).trainer
    trainer.model.init_from_data(trainer.data.train)
    rows = trainer.data.train.rows
    with evaluating(trainer.model):
        counts = torch.bincount(trainer.model.encode_indices(trainer.data.train.values(rows)).flatten(), minlength=16)
    figures = trainer.evaluate("train")
    assert figures["perplexity"] == pytest.approx(perplexity(counts).item(), rel=1e-4)
    assert figures["codebook_usage"] == pytest.approx((counts > 0).float().mean().item())


def test_a_codebook_larger_than_a_batch_can_fill_is_remarked() -> None:
    assert built(*SMALL, "trainer.batch_size=4").trainer.notices == []
    (remark,) = built(*SMALL, "trainer.batch_size=3").trainer.notices
    assert "model.codes: 16 codes, but a batch of 3 images has only 12 places" in remark
    (remark,) = built(*SMALL, "model.codes=999", "data.limit=200", "trainer.batch_size=900", "model.restart=0").trainer.notices
    assert "a batch of 180 images has only 720 places; some codes will never be used" in remark


def test_a_codebook_that_next_to_nothing_is_made_of_is_remarked_before_the_prior_learns_it() -> None:
    trainer = built(*SMALL).trainer
    for used, said in ((1 / 16, ["model.codes: only 6.2% of the 16 codes are used"]), (0.5, [])):
        trainer.used, trainer.notices = used, []
        trainer.start_stage(1)
        assert [remark[: len(text)] for remark, text in zip(trainer.notices, said, strict=True)] == said


def test_of_probabilities_over_levels_the_bound_is_also_in_bits() -> None:
    trainer = built(*SMALL, "model.likelihood=discretized_logistic").trainer
    trainer.model.init_from_data(trainer.data.train)
    assert "bits_per_dimension" not in trainer.evaluate("validation")
    trainer.start_stage(1)
    figures = trainer.evaluate("validation")
    assert figures["bits_per_dimension"] == pytest.approx(figures["negative_elbo"] / (64 * math.log(2)))


def test_what_cannot_be_is_refused(nnlab) -> None:
    refused = {
        "model.prior_heads=3": "model.prior_heads: 3 heads do not divide the width, 128; give 2, or a width",
        "model.codes=1": "model.codes: expected a whole number ≥ 2, got 1",
        "model.commitment=-1": "model.commitment: expected a number ≥ 0, got -1",
        "trainer.pretraining.epochs=[1,2]": "trainer.pretraining.epochs: 2 numbers for 1 stages",
    }
    for override, expected in refused.items():
        status, _, error = nnlab("train", "model=vq_vae", override)
        assert status == 2
        assert expected in error


# -- pictures -------------------------------------------------------------------------------------------------------


def test_every_code_has_a_colour_of_its_own_and_a_place_its_rectangle() -> None:
    painted = colours(torch.randn((50, 6), generator=seeded()))
    assert len(painted.unique(dim=0)) == 50
    assert 0.1 < painted.min() < painted.max() < 1
    assert colours(torch.randn((5, 2), generator=seeded())).shape == (5, 3)
    grid = enlarged(torch.tensor([[[1, 2, 3], [4, 5, 6]]]), (4, 7))
    assert grid.shape == (1, 4, 7)
    assert grid[0, 0].tolist() == [1, 1, 1, 2, 2, 3, 3]
    assert grid[0, :, 0].tolist() == [1, 1, 4, 4]


@pytest.mark.parametrize("asked", [1, 4, 9], ids=["the last place alone", "the last four", "all"])
def test_attention_is_torchs(asked) -> None:
    query, key, value = (torch.randn((2, 3, 9, 5), generator=seeded(seed)) for seed in range(3))
    mask = torch.ones((9, 9), dtype=torch.bool).tril()
    expected = torch.nn.functional.scaled_dot_product_attention(query, key, value, attn_mask=mask)
    assert torch.allclose(attention(query[:, :, -asked:], key, value), expected[:, :, -asked:], atol=1e-6)
