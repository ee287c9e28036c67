"""The flow of the detail: it starts as nothing, knows its scale, and learns which grain belongs to which mean."""

import pytest

torch = pytest.importorskip("torch")

from safelight.ladder.detail import DetailFlow  # noqa: E402
from safelight.ladder.prior import flow_time  # noqa: E402
from safelight.learn.images.detail import detail_loss, draw_detail  # noqa: E402


@pytest.mark.parametrize("size", [(8, 8), (7, 10)])
def test_a_new_flow_moves_nothing_in_pictures_of_any_size(size):
    torch.manual_seed(0)
    flow = DetailFlow(channels=3, width=8)
    x, mean, time = torch.randn(2, 3, *size), torch.rand(2, 3, *size), torch.rand(2)
    velocity = flow(x, mean, time)
    assert velocity.shape == mean.shape and not velocity.any()
    torch.nn.init.normal_(flow.tail.weight)
    frame = (0, -size[1] % 4, 0, -size[0] % 4)
    framed = [torch.nn.functional.pad(one, frame, value=fill) for one, fill in ((x, 0), (mean, 0.5))]
    torch.testing.assert_close(flow(x, mean, time), flow(*framed, time)[:, :, : size[0], : size[1]])


def test_the_scale_is_that_of_the_detail():
    flow = DetailFlow(channels=2, width=8)
    spread = torch.tensor([0.02, 0.05])[None, :, None, None]
    mean = torch.rand(200, 2, 8, 8)
    x = mean + spread * torch.randn(mean.shape, generator=torch.Generator().manual_seed(0))
    flow.fit_scale((x - mean).square().mean(dim=(0, 2, 3)))
    assert flow.spread == pytest.approx((0.02, 0.05), rel=0.05)
    units = flow.to_units(x, mean)
    assert units.std().item() == pytest.approx(1, abs=0.01)
    torch.testing.assert_close(flow.added(mean, units), x.clamp(0, 1))
    flow.learn()
    assert not flow.scale.requires_grad and flow.head.weight.requires_grad


@pytest.mark.slow
def test_it_learns_which_grain_belongs_to_which_mean():
    """Dark means have fine grain, bright ones none."""
    torch.manual_seed(0)
    flow, generator = DetailFlow(channels=1, width=16), torch.Generator().manual_seed(0)
    flow.scale.fill_(0.1)
    flow.learn()
    optimiser = torch.optim.AdamW([p for p in flow.parameters() if p.requires_grad], 3e-3)
    mean = torch.tensor([0.25, 0.75]).repeat(8)[:, None, None, None].expand(-1, 1, 16, 16)
    for _ in range(150):
        grain = torch.randn(mean.shape, generator=generator) * (0.1 * (mean < 0.5))
        start, time = torch.randn(mean.shape, generator=generator), flow_time(len(mean), generator)
        optimiser.zero_grad()
        detail_loss(flow, mean + grain, mean, start=start, time=time).backward()
        optimiser.step()
    drawn = draw_detail(flow, mean, generator) - mean
    dark, bright = drawn[::2].std().item(), drawn[1::2].std().item()
    assert dark == pytest.approx(0.1, rel=0.3) and bright < 0.03
