"""What runs on a GPU: skipped where there is none."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import distributed, nn

import cleave
from cleave.data.augment import Augmentation, Normalise
from cleave.data.colour import Colour
from cleave.data.crops import Crops
from cleave.data.folder import open_folder
from cleave.data.images import fingerprint
from cleave.data.rand_augment import parsed
from cleave.data.reading import Reading
from cleave.deploy import measure as measuring
from cleave.deploy.table import open_table
from cleave.engine.progress import Callback
from cleave.method.samplers import SAMPLERS
from cleave.retrain.norms import synchronise
from cleave.search.hooks import HOOKS
from cleave.train import TRACKED, Child, Evaluator
from tests.deploy import made
from tests.method.kinds import ELASTIC, EVERYWHERE
from tests.retrain import mobile, small
from tests.retrain.test_command import Killer
from tests.retrain.test_imagenet import TEACHER, Stopper, weights_of
from tests.search.test_trainer import in_doubles, problem
from tests.test_api import Asking
from tests.tiny import Ended, write_images

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
Capture = pytest.CaptureFixture[str]
SMALL = {
    "device": "cuda", "data.limit": 192, "data.image_size": 8, "space.channels": 2, "search.batch_size": 32,
    "search.epochs": 2, "split.splits": 1, "split.batches": 2, "trust.control": 2, "trust.panel": 3,
}  # fmt: skip


def flags(changes: dict[str, Any]) -> list[str]:
    return [word for key, value in changes.items() for word in ("--set", f"{key}={value}")]


def searched(out: Path, capsys: Capture, changes: dict[str, Any]) -> dict[str, Any]:
    ended = Ended(["search", "--out", str(out), "--json", *flags({**SMALL, **changes})], capsys)
    assert ended.status == 0, ended.err
    told: dict[str, Any] = json.loads(ended.out)
    return told


@pytest.mark.parametrize("method", EVERYWHERE)
def test_every_method_searches_on_a_gpu(method: str, tmp_path: Path, capsys: Capture) -> None:
    samples = {"method.samples": 5} if method == "rsps" else {}
    told = searched(tmp_path / "run", capsys, {"method.name": method, **samples})
    assert len(told["leaves"]) == 2
    assert told["chosen"]["valid_accuracy"] > 0


@pytest.mark.parametrize("method", ["darts", "drnas", "proxyless", "rsps"])
def test_limits_are_kept_on_a_gpu(method: str, tmp_path: Path, capsys: Capture) -> None:
    """With the penalty of a method that learns weights, whose gradient is there too."""
    told = searched(tmp_path / "run", capsys, {"method.name": method, "limits.params": "4k", "limits.macs": "30k"})
    assert told["limits"]["params"]["chosen"] <= 4000
    assert told["limits"]["macs"]["chosen"] <= 30_000


@pytest.mark.parametrize("step", ["two", "full", "reinforce"])
def test_proxylessnas_searches_its_space_on_a_gpu(step: str, tmp_path: Path, capsys: Capture) -> None:
    ended = Ended(
        ["search", "--space", "mobilenet-proxyless", "--out", str(tmp_path / "run"), "--json", *flags({
            "device": "cuda", "data.limit": 192, "space.width": 0.1, "search.batch_size": 32, "search.epochs": 2,
            "method.name": "proxyless", "method.step": step, "split.splits": 1, "split.batches": 1, "trust.control": 0,
        })], capsys)  # fmt: skip
    assert ended.status == 0, ended.err
    assert len(json.loads(ended.out)["leaves"]) == 2


@pytest.mark.parametrize("method", ELASTIC)
def test_elastic_networks_are_trained_on_a_gpu_and_others_found_in_them(
    method: str, tmp_path: Path, capsys: Capture
) -> None:
    """Split by gradients of the weights that kernels have in common, judged by statistics of their own."""
    changes = {
        "space.name": "mobilenet-ofa", "method.name": method, "method.samples": 3, "split.batches": 1,
        "space.width": 0.25, "search.epochs": 6 if method == "shrinking" else 2, "trust.control": 0,
    }  # fmt: skip
    whole = {name: value for name, value in SMALL.items() if name != "space.channels"}
    ended = Ended(["search", "--out", str(tmp_path / "run"), "--json", *flags({**whole, **changes})], capsys)
    assert ended.status == 0, ended.err
    assert len(json.loads(ended.out)["leaves"]) == 2
    found = cleave.evolve(tmp_path / "run", population=4, generations=1, check=5)
    network = cleave.load(tmp_path / "run").network(found["arch"], found["leaf"])
    assert network(torch.randn(2, 1, 16, 16)).shape[0] == 2


RIVALS = {
    **{name: {"method.sampler": name} for name in SAMPLERS},
    **{name: {"search.hooks": f"[{name}]"} for name in HOOKS},
}


@pytest.mark.parametrize("rival", RIVALS)
def test_samplers_and_hooks_search_on_a_gpu(rival: str, tmp_path: Path, capsys: Capture) -> None:
    """Leaves go on from what the root has learned."""
    changes = {"method.name": "rsps", "method.samples": 3, "split.restart": False, "split.warmup_epochs": 1}
    told = searched(tmp_path / "run", capsys, {**changes, **RIVALS[rival]})
    assert len(told["leaves"]) == 2


GOES_ON: dict[str, dict[str, Any]] = {
    "darts2": {"method.name": "darts2"},
    "momentum-separation": {"method.name": "rsps", "method.samples": 3, "search.hooks": ["momentum-separation"]},
    "importance": {"method.name": "rsps", "method.samples": 3, "method.sampler": "importance"},
}


@pytest.mark.parametrize("changes", GOES_ON.values(), ids=GOES_ON)
def test_a_search_that_is_interrupted_on_a_gpu_goes_on(changes: dict[str, Any], tmp_path: Path) -> None:
    """All of its state comes back to the GPU."""
    own = {name: value for name, value in {**SMALL, **changes}.items() if name != "device"}
    with pytest.raises(cleave.Interrupted):
        cleave.search(out=tmp_path / "run", settings=own, device="cuda", callbacks=[Asking(3)])
    for more in (2, 4, 1000):
        try:
            found = cleave.resume(tmp_path / "run", callbacks=[Asking(more)])
        except cleave.Interrupted:
            continue
        assert len(found.leaves) == 2
        return


@pytest.mark.parametrize("changes", [{}, {"precision": "bfloat16"}, {"method.name": "rsps", "method.samples": 5}])
def test_a_search_on_a_gpu_is_resumed_and_ranked(changes: dict[str, Any], tmp_path: Path, capsys: Capture) -> None:
    whole = searched(tmp_path / "whole", capsys, changes)
    again = cleave.resume(tmp_path / "whole")
    assert again.arch == whole["chosen"]["arch"]
    assert next(again.network().parameters()).device.type == "cpu"


def test_a_node_trains_on_a_gpu_as_on_the_cpu() -> None:
    """The same weights and numbers; in float64, since kernels round otherwise."""
    here, there = (in_doubles(problem("split.splits=1", f"device={device}")) for device in ("cpu", "cuda"))
    for trainer in (here, there):
        for _ in range(3):
            trainer.advance()
    for name, value in here.network.state_dict().items():
        torch.testing.assert_close(there.network.state_dict()[name].cpu(), value, rtol=1e-5, atol=1e-7)
    assert there.means() == pytest.approx(here.means(), rel=1e-6)


def test_too_large_a_batch_is_told_with_one_that_fits(tmp_path: Path, capsys: Capture) -> None:
    free, _ = torch.cuda.mem_get_info()
    torch.cuda.set_per_process_memory_fraction(0.02)
    try:
        changes = {"data.image_size": 64, "space.channels": 256, "search.batch_size": 96, "trust.control": 0}
        words = ["search", "--out", str(tmp_path / "run"), *flags({**SMALL, **changes})]
        ended = Ended(words, capsys)
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
    assert free > 0
    assert ended.refuses("search.batch_size=96", "memory")


def test_a_study_looks_on_a_gpu(tmp_path: Path, capsys: Capture) -> None:
    changes = {"device": "cuda", "looks.statistics": "[tracked, batch, recalibrated]"}
    words = ["study", "table1/seeds", "--budget", "tiny", "--out", str(tmp_path / "study"), "--json", *flags(changes)]
    ended = Ended(words, capsys)
    assert ended.status == 0, ended.err


@pytest.mark.parametrize("precision", ["float32", "bfloat16", "float16"])
def test_an_architecture_trains_from_scratch_on_a_gpu_and_goes_on(precision: str, tmp_path: Path) -> None:
    """In every precision; float16 with its scaler, whose state is in the checkpoints."""
    changes = {
        "data.limit": 192, "data.image_size": 32, "space.channels": 4, "training.epochs": 2, "training.batch_size": 32,
        "training.auxiliary": 0.4, "training.drop_path": 0.2, "training.cutout": 8, "training.ema": 0.9,
        "training.mixup": 0.2, "training.rand_augment": 5, "training.precision": precision, "checkpoint_seconds": 0.0,
    }  # fmt: skip
    with pytest.raises(cleave.Interrupted):
        cleave.train(
            small.GENOTYPE, space="darts", out=tmp_path / "run", settings=changes, device="cuda", callbacks=[Killer(3)]
        )
    found = cleave.resume_training(tmp_path / "run")
    assert found.accuracy is not None
    assert cleave.evaluate(found, device="cuda")["images"] > 0
    hits = [cleave.evaluate(found, device=device)["hits"] for device in ("cpu", "cuda")]
    assert hits[0] == pytest.approx(hits[1], abs=20)  # of 2,000 images: kernels round otherwise


def test_normalisations_are_torch_s_shared_ones_where_several_gpus_train(free_port: str) -> None:
    """One process of nccl's stands for all there are."""
    distributed.init_process_group("nccl", init_method=f"tcp://127.0.0.1:{free_port}", rank=0, world_size=1)
    try:
        plain, shared = (small.trainer(auxiliary=0.4).network.cuda() for _ in range(2))
        synchronise(shared)
        assert any(isinstance(module, nn.SyncBatchNorm) for module in shared.modules())
        x, gates = torch.rand(8, 3, 32, 32, device="cuda"), small.trainer().gates
        torch.testing.assert_close(shared(x, gates), plain(x, gates), rtol=1e-4, atol=1e-5)
        hits = Evaluator(TRACKED).hits([Child(shared, gates)], [(x, torch.zeros(8, dtype=torch.int64, device="cuda"))])
        assert hits.shape == (1, 3)
    finally:
        distributed.destroy_process_group()


@pytest.fixture
def free_port() -> str:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return str(free.getsockname()[1])


def test_a_map_comes_to_a_gpu_batch_by_batch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    folder = write_images(tmp_path / "images", each=100)
    parts = []
    for storage in ("map", "memory"):
        source = open_folder(folder, "train", 64, Reading(storage=storage))
        parts.append(source.take_each(torch.arange(len(source)))[0])
    kept, held = (images.to("cuda") for images in parts)
    assert kept.pixels.device == kept.labels.device == held.pixels.device
    before = torch.cuda.memory_allocated()
    for _ in range(20):
        indices = torch.randint(len(held), (16,))
        for one, other in zip(kept.at(indices), held.at(indices), strict=True):
            assert one.device == other.device
            assert torch.equal(one, other)
    assert torch.cuda.memory_allocated() - before < 64 * 64 * 3 * 40, "only the last batches are there"
    assert fingerprint([kept]) == fingerprint([held])
    assert torch.equal(Normalise.of(kept).mean, Normalise.of(held).mean)


@pytest.mark.parametrize(
    "augment",
    [Crops(16, 0.1), Crops(16, 0.1, resample="bicubic"), Colour(0.2, 0.5), parsed("rand-m9-mstd0.5", (128.0,) * 3)],
)
def test_whole_batches_are_augmented_alike_on_a_gpu(augment: Augmentation) -> None:
    """But for roundings, by which smooth images differ little."""
    pixels = nn.functional.interpolate(torch.rand(60, 3, 4, 4), size=24, mode="bilinear").mul(255).to(torch.uint8)
    here, there = (augment(images, torch.Generator().manual_seed(1)).cpu() for images in (pixels, pixels.cuda()))
    assert float(((here.int() - there.int()).abs() > 2).double().mean()) < 0.02


def test_the_recipe_of_gm_nas_trains_and_goes_on_on_a_gpu(tmp_path: Path) -> None:
    pytest.importorskip("timm", reason="timm is not installed")
    images, file = mobile.tree(tmp_path / "images"), weights_of(tmp_path / "teacher.safetensors")
    keys = {"training.teacher": TEACHER, "training.teacher_weights": str(file), "training.learning_rate_warmup": 1}
    settings = {**mobile.SIZES, **keys, "training.epochs": 2, "device": "cuda"}
    with pytest.raises(cleave.Interrupted):
        cleave.train(
            mobile.ARCH,
            recipe="gm-imagenet",
            data=images,
            out=tmp_path / "run",
            settings=settings,
            callbacks=[Stopper(1)],
        )
    assert cleave.resume_training(tmp_path / "run").parameters > 0


def test_latency_is_measured_on_a_gpu_and_the_table_is_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measuring, "ROUNDS", 2)
    monkeypatch.setattr(measuring, "NETWORKS", 5)
    out = tmp_path / "table.json"
    found = measuring.measure(measuring.MeasureRequest(made.SMALL, device="cuda"), out, Callback())
    assert found["of"]["device"] == torch.cuda.get_device_name()
    assert all(row["milliseconds"] > 0 for row in found["networks"])
    open_table(str(out)).check_for(made.SMALL)
