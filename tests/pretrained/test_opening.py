"""Weights out of files and caches: every format, where they come from, and what is no such file, in one line each."""

from __future__ import annotations

import hashlib
import os
import pickle
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from cleave.errors import UserError
from cleave.pretrained.opening import Pretrained, open_pretrained

pytest.importorskip("timm", reason="timm is not installed")

from tests.pretrained.nets import hub, network, write

RA = "mobilenetv3_large_100.ra_in1k"


@pytest.fixture(scope="module")
def state() -> dict[str, Tensor]:
    return network().state_dict()


def holds(found: Pretrained, state: dict[str, Tensor]) -> bool:
    return found.tensors.keys() == state.keys() and all(torch.equal(found.tensors[each], state[each]) for each in state)


@pytest.mark.parametrize("name", ["w.safetensors", "w.pth", "w.bin", "w.pth.tar"])
def test_files_of_every_kind_hold_the_same(name: str, state: dict[str, Tensor], tmp_path: Path) -> None:
    found = open_pretrained(str(file := write(tmp_path / name, state)))
    assert holds(found, state)
    sha256 = hashlib.sha256(file.read_bytes()).hexdigest()
    assert found.told == {"source": str(file), "licence": "unknown", "sha256": sha256}


def test_a_file_that_says_its_licence_is_believed(state: dict[str, Tensor], tmp_path: Path) -> None:
    file = write(tmp_path / "w.safetensors", state, {"license": "cc0-1.0", "format": "pt"})
    assert open_pretrained(str(file)).licence == "cc0-1.0"


def test_of_a_checkpoint_the_averaged_weights_are_taken(state: dict[str, Tensor], tmp_path: Path) -> None:
    of_several = {f"module.{name}": each for name, each in state.items()}
    worse = {name: each + 1 for name, each in of_several.items()}
    torch.save({"epoch": 3, "state_dict": worse, "state_dict_ema": of_several}, tmp_path / "w.pth")
    assert holds(open_pretrained(str(tmp_path / "w.pth")), state)


def test_timms_weights_come_from_the_caches(
    state: dict[str, Tensor], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = hub(tmp_path, monkeypatch)
    with pytest.raises(UserError, match=rf"are in no cache .* give a file, or first run: hf download timm/{RA} model"):
        open_pretrained(f"timm:{RA}")
    checkpoint = tmp_path / "torch" / "checkpoints" / "mobilenetv3_large_100_ra-f55367f5.pth"
    checkpoint.parent.mkdir(parents=True)
    write(checkpoint, {name: each + 1 if each.dim() else each for name, each in state.items()})
    assert not holds(open_pretrained(f"timm:{RA}"), state)
    place(RA, state)
    found = open_pretrained(f"timm:{RA}")
    assert holds(found, state)
    assert (found.source, found.licence) == (f"timm/{RA}", "apache-2.0")


class Command:
    """Runs one when it is unpickled."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, ("touch ran",)


@pytest.fixture(scope="module")
def bad(state: dict[str, Tensor], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of files that are named for weights."""
    folder = tmp_path_factory.mktemp("bad")
    page = b"\n<!DOCTYPE html><html><title>Sign in</title></html>" + b" " * 99
    pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 22\n"
    for name, content in {"page": page, "pointer": pointer, "empty": b"", "noise": b"\x93NUMPY\0\0\0" * 9}.items():
        for ending in ("safetensors", "pth"):
            (folder / f"{name}.{ending}").write_bytes(content)
    whole = write(folder / "half.safetensors", state).read_bytes()
    (folder / "half.safetensors").write_bytes(whole[: len(whole) // 2])
    torch.save({"state_dict": state, "hook": Command()}, folder / "command.pth")
    (folder / "raw.bin").write_bytes(pickle.dumps(Command()))
    torch.save([1, 2], folder / "list.pth")
    torch.save({"a": 1}, folder / "number.pth")
    save_file({"features.0.0.weight": torch.zeros(16, 3, 3, 3)}, folder / "torchvision.safetensors")
    (folder / "folder").mkdir()
    return folder


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("page.safetensors", "is a web page, not weights: download the file itself"),
        ("page.pth", "is a web page, not weights: download the file itself"),
        ("pointer.safetensors", "is a pointer of Git LFS, not weights: fetch the file itself by `git lfs pull`"),
        ("pointer.pth", "is a pointer of Git LFS"),
        ("empty.safetensors", "holds no weights that can be read"),
        ("empty.pth", "holds no weights that can be read"),
        ("noise.safetensors", "holds no weights that can be read"),
        ("noise.pth", "holds no weights that can be read"),
        ("half.safetensors", "holds no weights that can be read"),
        ("command.pth", "system, and such objects can run anything; save the weights alone, as .safetensors"),
        ("raw.bin", "holds no weights that can be read"),
        ("list.pth", "holds no weights that can be read"),
        ("number.pth", "'a' in it is no tensor; save the weights alone, as .safetensors"),
        ("torchvision.safetensors", "has no conv_stem.weight, so it is not of timm's mobilenetv3_large_100"),
        ("folder", r"cannot be read \(is a directory\)"),
        ("nowhere.pth", r"cannot be read \(no such file"),
        ("nul\0.pth", "holds no weights that can be read"),
    ],
)
def test_what_is_no_such_file_is_named_in_one_line(
    name: str, words: str, bad: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=words) as caught:
        open_pretrained(str(bad / name))
    assert str(caught.value).startswith("begin.weights: ")
    assert name.replace("\0", "?") in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not Path("ran").exists()


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("timm:resnet18", "begin.weights: unknown 'timm:resnet18'.*timm:mobilenetv3_large_100"),
        ("timm:tf_mobilenetv3_large_100", "begin.weights: unknown"),
        (f"timm:{RA}k", f"begin.weights: unknown '{RA}k'; did you mean '{RA}'"),
    ],
)
def test_other_names_of_timm_are_refused(name: str, words: str) -> None:
    with pytest.raises(UserError, match=words):
        open_pretrained(name)
