"""A student of an earlier classifier: its loss, who learns, and that an answer of the teacher stays with its example."""

from __future__ import annotations

import pytest
import torch
from conftest import QUIET, built, earlier_classifier, train
from torch import Tensor

from nnlab.errors import BadInput
from nnlab.experiment.run import Experiment

DATA = ["data=digits", "data.limit=200"]
SMALL = ["model=distillation", "model.body.hidden=[16]", *DATA, *QUIET, "trainer.batch_size=32", "device=cpu"]


@pytest.fixture
def teacher() -> str:
    """The config key, with the run of a small classifier of digits."""
    return f"model.teacher={earlier_classifier(*DATA)}"


def begun(*overrides: str) -> Experiment:
    experiment = built(*SMALL, *overrides)
    experiment.initialize()
    return experiment


def loss_of(experiment: Experiment, **answers: Tensor) -> dict[str, Tensor]:
    """The terms of six examples, with these logits of teacher and student instead of theirs."""
    model, trainer = experiment.model.eval(), experiment.trainer
    batch = trainer.builder(trainer.data.train).batch(trainer.data.train.rows[:6], torch.Generator().manual_seed(0))
    model.taught, model.logits = (lambda x: answers["taught"]), (lambda x: answers["own"])
    return model.loss(batch, trainer.generator), batch.label


def logits(seed: int) -> Tensor:
    return 3 * torch.randn(6, 10, generator=torch.Generator().manual_seed(seed))


def test_the_loss_is_that_of_a_double_loop(teacher: str) -> None:
    taught, own = logits(0), logits(1)
    terms, label = loss_of(begun(teacher, "model.temperature=3", "model.alpha=0.7"), taught=taught, own=own)
    for i in range(6):
        p, q = ((each[i].double() / 3).exp() for each in (taught, own))
        p, q = p / p.sum(), q / q.sum()
        soft = sum(9 * p[c] * (p[c] / q[c]).log() for c in range(10)).item()
        hard = -(own[i].double().exp() / own[i].double().exp().sum()).log()[label[i]].item()
        assert terms["soft_loss"][i].item() == pytest.approx(soft, rel=1e-5)
        assert terms["loss"][i].item() == pytest.approx(0.7 * soft + 0.3 * hard, rel=1e-5)


def test_a_student_that_answers_as_its_teacher_has_no_soft_loss(teacher: str) -> None:
    terms, _ = loss_of(begun(teacher), taught=logits(0), own=logits(0) + 5)
    assert terms["soft_loss"].abs().max() < 1e-3, "a constant added to all logits changes nothing; T² is 400"


def test_at_a_high_temperature_the_gradient_is_the_difference_of_the_logits(teacher: str) -> None:
    """(z − v)/C for logits of mean zero, C classes (Hinton et al. 2015, equation 4)."""
    taught, own = (x - x.mean(1, keepdim=True) for x in (logits(0), logits(1)))
    own.requires_grad_()
    terms, _ = loss_of(begun(teacher, "model.temperature=3e3", "model.alpha=1"), taught=taught.double(), own=own.double())
    (gradient,) = torch.autograd.grad(terms["loss"].sum(), own)
    assert torch.allclose(gradient, (own - taught).detach() / 10, atol=1e-3)


def test_an_answer_stays_with_its_example(teacher: str) -> None:
    """In batches of any order; and the same is computed where inputs change, so that it cannot be kept."""
    trainer = begun(teacher).trainer
    trainer.train(0, 1, lambda: False)
    for step in range(4):
        batch = trainer.feed.batch(trainer.rows(step), trainer.generator)
        assert torch.allclose(batch["teacher"], trainer.model.taught(batch.input), atol=1e-5)
    other = begun(teacher, "augmentation=affine").trainer
    other.train(0, 1, lambda: False)
    assert "teacher" not in other.feed.batch(other.rows(0), other.generator).extra


def test_the_teacher_does_not_learn_and_has_no_dropout(teacher: str) -> None:
    experiment = begun(teacher, "augmentation=affine")
    model = experiment.model
    before = {name: value.clone() for name, value in model.teacher.state_dict().items()}
    experiment.trainer.train(0, 3, lambda: False)
    assert model.training
    assert not any(module.training for module in model.teacher.modules())
    assert all(torch.equal(value, before[name]) for name, value in model.teacher.state_dict().items())
    own = {id(p) for p in experiment.trainer.player.parameters}
    assert not own & {id(p) for p in model.teacher.parameters()}
    assert model.size == sum(p.numel() for p in [*model.body.parameters(), *model.head.parameters()])


def test_without_weight_on_the_teacher_it_is_a_plain_classifier(teacher: str) -> None:
    common = [*DATA, *QUIET, "trainer.steps=5", "trainer.batch_size=32", "device=cpu", "optimizer=adam_cosine"]
    plain = train("plain", "model=fcnn", "model.hidden=[16]", "model.dropout=0", *common, pictures=False)
    taught = train("taught", *SMALL, "model.alpha=0", teacher, "trainer.steps=5", pictures=False)
    mine, other = (torch.load(run.checkpoints / "last.pt", weights_only=True)["trainer"]["model"] for run in (taught, plain))
    assert all(torch.equal(mine[name], value) for name, value in other.items())


def test_a_teacher_that_cannot_teach_this_is_refused() -> None:
    train("coder", "model=ae", "model.hidden=[8]", *DATA, "trainer.steps=1", pictures=False)
    with pytest.raises(BadInput, match=r"model\.teacher: .*coder holds AE, which cannot tell classes apart; give a classifier"):
        built(*SMALL, "model.teacher=coder")
    train("few", "model=fcnn", "model.hidden=[8]", *DATA, "data.classes=[0,1,2]", "trainer.steps=1", pictures=False)
    said = r"model\.teacher: .*few tells other classes apart \(0, 1, 2\) than Digits has \(0, 1, 2, 3"
    with pytest.raises(BadInput, match=said):
        built(*SMALL, "model.teacher=few")
    train("flat", "model=fcnn", "model.hidden=[8]", "data=moons", "trainer.steps=1", pictures=False)
    with pytest.raises(BadInput, match=r"model\.teacher: it takes rows of 2 \(Moons\), but Digits has images of 1×8×8"):
        built(*SMALL, "model.teacher=flat")


def test_a_teacher_that_is_quite_sure_gives_finite_logits() -> None:
    """Its probabilities reach 0, and small numbers are flushed to 0."""
    train("mixture", "model=generative_classifier", *DATA, "trainer.epochs=2", pictures=False)
    experiment = begun("model.teacher=mixture")
    x = experiment.data.train.values(experiment.data.train.rows[:50])
    torch.set_flush_denormal(True)
    assert (experiment.model.teacher.classify(x) == 0).any()
    assert experiment.model.taught(x).isfinite().all()
    experiment.trainer.train(0, 2, lambda: False)
    assert experiment.trainer.meter.look() is None
