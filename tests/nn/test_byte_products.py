from __future__ import annotations

import pytest
import torch

from nnlab.nn import byte_products


@pytest.mark.parametrize("scale", [1e-3, 1.0, 200.0])
def test_products_of_bytes_err_less_than_float32(scale: float) -> None:
    generator = torch.Generator().manual_seed(0)
    stored = torch.randint(0, 256, (300, 784), dtype=torch.uint8, generator=generator)
    c = scale * torch.randn(20, 784, generator=generator)
    x = byte_products.signed(stored)
    assert torch.equal(x.long() + 128, stored.long())
    parts, step = byte_products.in_fixed_point(c)
    exact = x.double() @ c.double().T
    error = (byte_products.products(x, parts) * step - exact).abs().max() / exact.abs().max()
    assert error < 3e-7
    assert error < 2 * ((x.float() @ c.T) - exact).abs().max() / exact.abs().max()


def test_what_is_no_byte_is_left_to_float32() -> None:
    assert not byte_products.takes(torch.zeros(2, 3))
