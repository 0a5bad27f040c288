"""The still picture of a range test."""

from __future__ import annotations

import struct

import pytest

from sweeper.lr_range import figure
from tests.lr_range.invented import result


@pytest.mark.parametrize("kind", ["valley", "noise", "nothing", "breaking", "linear"])
def test_the_png_is_an_image_without_pyplot(kind: str) -> None:
    """Whatever the answer, a PNG of 1280 x 800 pixels is drawn."""
    image = figure.png(result(kind))
    assert image.startswith(b"\x89PNG")
    assert struct.unpack(">II", image[16:24]) == (1280, 800)


def test_a_probe_has_a_panel_of_its_own() -> None:
    """With a second stage the picture is half as high again."""
    assert struct.unpack(">II", figure.png(result("probed"))[16:24]) == (1280, 1200)
