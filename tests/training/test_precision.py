"""With which numbers products are computed."""

from __future__ import annotations

import contextlib

import pytest
import torch
from conftest import built

from nnlab.errors import BadInput
from nnlab.training import precision
from nnlab.training.precision import Precision

CPU = torch.device("cpu")
LINEAR = torch.nn.Linear(2, 2)
needs_switch = pytest.mark.skipif(not hasattr(torch.backends.mkldnn, "matmul"), reason="this torch has no such switch")


@pytest.fixture(autouse=True)
def asked_anew():
    precision.onednn_multiplies_float32_faster.cache_clear()
    yield
    precision.onednn_multiplies_float32_faster.cache_clear()


def product_error() -> float:
    a, b = torch.randn((2, 256, 256), generator=torch.Generator().manual_seed(1))
    return ((a @ b).double() - a.double() @ b.double()).abs().max().item()


@needs_switch
def test_a_step_in_float32_is_of_float32s_exactness_on_every_cpu(monkeypatch):
    for vendor in ("GenuineIntel", "AuthenticAMD", ""):
        precision.onednn_multiplies_float32_faster.cache_clear()
        monkeypatch.setattr(precision, "vendor", lambda vendor=vendor: vendor)
        with Precision("float32", CPU, LINEAR).step():
            assert product_error() < precision.FLOAT32_ERROR


@needs_switch
def test_where_onednn_would_round_it_is_not_let(monkeypatch):
    @contextlib.contextmanager
    def rounding(asked: str):
        def product(a, b):
            return exact(a.bfloat16().float(), b.bfloat16().float()) if a.dtype == torch.float32 else exact(a, b)

        exact = torch.Tensor.__matmul__
        with monkeypatch.context() as patch:
            patch.setattr(torch.Tensor, "__matmul__", product)
            yield

    monkeypatch.setattr(precision, "vendor", lambda: "AuthenticAMD")
    monkeypatch.setattr(precision, "onednn", rounding)
    assert not precision.onednn_multiplies_float32_faster()


@needs_switch
def test_the_switch_is_set_back_after_a_step():
    before = torch.backends.mkldnn.matmul.fp32_precision
    for choice in ("float32", "bfloat16", "auto"):
        with contextlib.suppress(ZeroDivisionError), Precision(choice, CPU, LINEAR).step():
            raise ZeroDivisionError
        assert torch.backends.mkldnn.matmul.fp32_precision == before


def test_bfloat16_where_it_is_asked_for_even_if_it_is_slow_and_float32_where_that_is(monkeypatch):
    monkeypatch.setattr(precision, "multiplies_bfloat16", lambda device: False)
    assert [str(Precision(choice, CPU, LINEAR)) for choice in ("auto", "bfloat16", "float32")] == [
        "float32",
        "bfloat16",
        "float32",
    ]


@pytest.mark.parametrize("model", ["rbm", "dbn", "boltzmann"])
def test_differences_of_statistics_are_in_bfloat16_only_where_products_alone_are_rounded(model, monkeypatch):
    """What is recorded is what was computed in: under autocast such a machine does not learn, so that is refused."""
    monkeypatch.setattr(precision, "multiplies_bfloat16", lambda device: False)
    assert str(built(f"model={model}", "trainer.precision=auto").trainer.precision) == "float32"
    with pytest.raises(BadInput, match=r"trainer\.precision: .* learns in bfloat16 only on a CPU that multiplies it natively"):
        built(f"model={model}", "trainer.precision=bfloat16")


@needs_switch
def test_on_a_cpu_with_native_products_they_are_in_bfloat16(monkeypatch):
    monkeypatch.setattr(precision, "multiplies_bfloat16", lambda device: True)
    chosen = built("model=rbm", "trainer.precision=bfloat16").trainer.precision
    assert (str(chosen), chosen.products) == ("bfloat16", "bf16")
