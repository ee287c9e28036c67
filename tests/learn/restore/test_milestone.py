"""The tool that writes milestones counts multiplications as one does by hand."""

from pathlib import Path

import pytest
from torch import Tensor, nn

from safelight.ladder.restorer import build_restorer
from safelight.learn.restore.recipe import RestoreRecipe
from safelight.learn.train import read_recipe
from tools.milestone import multiplications_per_pixel


class HalfAndBack(nn.Module):
    """One convolution to half the size, and one back."""

    def __init__(self) -> None:
        super().__init__()
        self.down = nn.Conv2d(3, 8, 3, stride=2, padding=1)
        self.up = nn.ConvTranspose2d(8, 3, 2, stride=2)

    def forward(self, image: Tensor, _sigma: Tensor) -> Tensor:
        return self.up(self.down(image))


def test_each_kernel_counts_where_it_is_applied():
    assert multiplications_per_pixel(HalfAndBack()) == (8 * 3 * 9 + 8 * 3 * 4) / 4


@pytest.mark.parametrize(("name", "per_pixel"), [("photo", 109_068), ("photo-best", 246_672)])
def test_the_trunks_take_what_the_notebook_says(name, per_pixel):
    recipe = read_recipe(Path("recipes") / f"{name}.toml")
    assert isinstance(recipe, RestoreRecipe)
    assert multiplications_per_pixel(build_restorer(**recipe.model.model_dump()).trunk) == per_pixel
