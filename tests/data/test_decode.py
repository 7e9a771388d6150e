from __future__ import annotations

import io
import warnings
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from cleave.data.decode import BACKGROUND, Unusable, caught, decode, warnings_caught
from tests.data.made_folders import photo
from tests.fresh import fresh
from tests.reference.decode import pixels_of


def saved(image: Image.Image, kind: str, **options: object) -> io.BytesIO:
    file = io.BytesIO()
    image.save(file, kind, **options)
    file.seek(0)
    return file


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "BMP", "TIFF", "GIF"])
@pytest.mark.parametrize("size", [8, 16, 40])
def test_what_is_no_jpeg_is_decoded_as_by_the_slow_way(tmp_path: Path, kind: str, size: int) -> None:
    path = tmp_path / f"x.{kind.lower()}"
    photo(0, 53, 31).save(path, kind)
    with path.open("rb") as file:
        assert np.array_equal(decode(file, path.name, size), pixels_of(path, size))


@pytest.mark.parametrize(("width", "height"), [(400, 300), (301, 640), (40, 50), (16, 16)])
def test_a_jpeg_at_reduced_size_looks_as_one_decoded_whole(tmp_path: Path, width: int, height: int) -> None:
    smooth = photo(1, 8, 8).resize((width, height), Image.Resampling.BICUBIC)
    path = tmp_path / "x.jpg"
    smooth.save(path, quality=95)
    with path.open("rb") as file:
        seen = decode(file, path.name, 16).astype(int)
    apart = np.abs(seen - pixels_of(path, 16))
    assert apart.mean() < 2.5
    assert apart.max() < 25


def test_a_large_jpeg_is_decoded_at_no_more_than_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    """An eighth of its sides, still at least twice the size that is wanted."""
    loaded, large, small = [], saved(photo(0, 800, 640), "JPEG"), saved(photo(0, 60, 60), "JPEG")
    published = Image.Image.load
    monkeypatch.setattr(Image.Image, "load", lambda image: (loaded.append(image.size), published(image))[1])
    decode(large, "x.jpg", 16)
    decode(small, "x.jpg", 16)
    assert (100, 80) in loaded
    assert (800, 640) not in loaded
    assert (60, 60) in loaded


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P", "L", "RGB"])
def test_transparent_pixels_take_the_background_whatever_lay_under_them(mode: str) -> None:
    """With an alpha channel, or with one colour or palette entry that stands for transparent."""
    random = fresh()
    clear = random.random((16, 16)) < 0.5
    if mode in ("RGBA", "LA"):
        bands = Image.fromarray(random.integers(0, 200, (16, 16, 4), dtype=np.uint8), "RGBA").convert(mode)
        bands.putalpha(Image.fromarray(np.where(clear, 0, 255).astype(np.uint8)))
        file = saved(bands, "PNG")
    elif mode == "P":
        indices = Image.fromarray(np.where(clear, 0, random.integers(1, 9, (16, 16))).astype(np.uint8), "P")
        indices.putpalette(random.integers(0, 200, 768, dtype=np.uint8).tobytes())
        file = saved(indices, "PNG", transparency=bytes([0] + [255] * 255))
    else:
        grey = np.where(clear, 7, random.integers(8, 200, (16, 16))).astype(np.uint8)
        file = saved(Image.fromarray(grey).convert(mode), "PNG", transparency=7 if mode == "L" else (7, 7, 7))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        seen = decode(file, "x.png", 16)
    assert ((seen.transpose(1, 2, 0) == BACKGROUND[:3]).all(axis=2) == clear).all()


def why(file: io.BytesIO, name: str) -> str:
    with pytest.raises(Unusable) as error:
        decode(file, name, 16)
    return str(error.value)


def test_causes_are_told_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = saved(photo(0, 300, 300), "JPEG").getvalue()
    assert why(io.BytesIO(), "x.png") == "is empty (0 bytes): copy it again"
    assert why(io.BytesIO(whole[: len(whole) // 2]), "x.jpg").startswith("is damaged or truncated (")
    assert why(io.BytesIO(b"\0\0\0\x18ftypheic"), "x.heic").startswith("is not an image, or of a format that Pillow")
    assert why(io.BytesIO(b"<html>"), "x.PNG").startswith("does not begin as a .png file does")
    deep = Image.fromarray(fresh().integers(0, 65536, (40, 40), dtype=np.uint16))
    assert why(saved(deep, "PNG"), "x.png").startswith("has pixels of more than 8 bits (mode I;16): convert it")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 500_000)
    assert why(saved(Image.new("1", (1000, 2000)), "PNG"), "x.png") == (
        "has 2 megapixels, above the limit of 1: make it smaller"
    )


def test_good_files_are_never_called_damaged(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: object, **named: object) -> None:
        raise ValueError("an orientation of 9")

    monkeypatch.setattr(ImageOps, "exif_transpose", refuse)
    assert why(saved(photo(0), "PNG"), "x.png") == (
        "has colours or metadata that cannot be converted (an orientation of 9): convert it to a plain PNG or JPEG"
    )
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    assert "damaged" not in why(saved(photo(0), "PNG"), "x.png")


def test_an_error_of_the_system_is_passed_on() -> None:
    class Failing(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            raise OSError(5, "Input/output error")

    with pytest.raises(OSError, match="Input/output"):
        decode(Failing(saved(photo(0), "PNG").getvalue()), "x.png", 16)


def warn_twice() -> list[str]:
    """What is collected of a warning from Pillow and one from elsewhere."""
    with warnings_caught():
        with caught() as words:
            warnings.warn_explicit("  of   theirs", UserWarning, "file", 1, module="PIL.Image")
        warnings.warn("ours", UserWarning, stacklevel=1)
    return words


def test_warnings_of_the_library_are_collected_and_others_go_where_they_went() -> None:
    with pytest.warns(UserWarning, match="ours") as told:
        assert warn_twice() == ["of theirs"]
    assert len(told) == 1


def test_a_large_image_below_the_limit_is_no_matter_for_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 500)
    with warnings_caught(), caught() as words:
        decode(saved(photo(0, 30, 30), "PNG"), "x.png", 16)
    assert words == []
