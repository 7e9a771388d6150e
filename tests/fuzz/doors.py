"""Every door through which files and texts of others come in: what is right there, and who reads it."""

from __future__ import annotations

import io
import json
import pickle
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from cleave.bench.table import Table
from cleave.config import load, load_recipe, read_yaml
from cleave.data.decode import Unusable, caught, decode, warnings_caught
from cleave.data.pickles import read_batch
from cleave.deploy.table import read_table
from cleave.errors import UserError
from cleave.export import onnx_file
from cleave.export.card import CARD
from cleave.export.predict import predict
from cleave.extensions import load_extension
from cleave.pretrained.reading import metadata_of, tensors_in
from cleave.rank.predictions import read_predictions
from cleave.resolve import resolve
from cleave.retrain.settings import RetrainRecipe
from cleave.run.durable import json_bytes, write_folder
from cleave.run.events import Events
from cleave.run.generations import META, STATE, WEIGHTS, Record, read_record, write_record
from cleave.run.outcome import hashes_of
from cleave.run.reading import Shape, read_json
from cleave.space import find_space
from cleave.split.matrix import partition_file
from cleave.yaml_text import written
from tests.space.test_darts import PUBLISHED
from tests.space.test_darts import written as genotype

FORMATS = ("PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP", "PPM")
NB201 = "|nor_conv_3x3~0|+|none~0|skip_connect~1|+|avg_pool_3x3~0|nor_conv_1x1~1|nor_conv_3x3~2|"
EXTENSION = b'''"""A user's own file."""

from torch import nn

from cleave.ops import Norm, operation

WIDTHS = {"narrow": 1, "wide": [2, 3]}


@operation("fuzz_wire")
def wire(channels_in: int, channels_out: int, stride: int, norm: Norm) -> nn.Module:
    return nn.Identity()
'''


@dataclass(frozen=True)
class Door:
    """`samples`: what is right. `read`: takes a file; of what is wrong with it it says so by a UserError alone."""

    suffix: str
    samples: Callable[[], Sequence[bytes]]
    read: Callable[[Path], object]


def recipe(path: Path) -> None:
    found = load_recipe(path, (), {})
    resolve(found, find_space(found.space))


def recipes() -> list[bytes]:
    changes = (
        [], ["space.name=darts", "split.splits=3", "selection.by=halving", "selection.schedule=[30, 100]"],
        ["space.name=mobilenet-ofa", "method.name=shrinking", "limits.macs=300M", "guards.off=[collapse]"],
        ["method.name=rsps", "split.splitter=exhaustive", "space.ops=[none, skip_connect]"],
    )  # fmt: skip
    return [written(load_recipe(None, each, {}).model_dump(mode="json")).encode() for each in changes]


def trainings() -> list[bytes]:
    return [written(load(RetrainRecipe, {"arch": NB201}, (), {}).model_dump(mode="json")).encode()]


def architectures() -> list[bytes]:
    names = ("nasbench201", "darts", "mobilenet-proxyless", "mobilenet-ofa")
    spaces = [find_space(name) for name in names]
    drawn = [space.format(space.sample(space.region, torch.Generator())) for space in spaces for _ in range(2)]
    return [each.encode() for each in (*drawn, NB201, *(genotype(*each[:2]) for each in PUBLISHED.values()))]


def architecture(path: Path) -> None:
    """As each space reads it."""
    text, refused = path.read_bytes().decode("utf-8", "replace"), list[UserError]()
    for name in ("nasbench201", "darts", "mobilenet-proxyless", "mobilenet-ofa"):
        space = find_space(name)
        try:
            arch = space.parse(text)
        except UserError as error:
            refused.append(error)
        else:
            space.parse(space.format(arch))
    if refused:
        raise refused[0]


def images() -> list[bytes]:
    picture = Image.effect_noise((19, 23), 60).convert("RGB")
    found = []
    for form in FORMATS:
        picture.save(file := io.BytesIO(), form)
        found.append(file.getvalue())
    picture.convert("P").save(file := io.BytesIO(), "PNG", transparency=3)
    return [*found, file.getvalue()]


def image(path: Path) -> None:
    try:
        with path.open("rb") as file, warnings_caught(), caught():
            decode(file, str(path), 16)
    except Unusable as error:
        raise UserError(str(error)) from error


def tables() -> list[bytes]:
    operations = np.random.default_rng(0).permutation(5**6)[:20]
    rows = np.stack([operations // 5**place % 5 for place in range(6)], axis=1).astype(np.uint8)
    from cleave.bench.table import ACCURACIES

    table, found = Table("made", rows, {name: np.linspace(1, 99, 20) for name in ACCURACIES}), []
    arrays = {"ops": table.operations, "op_names": np.array(["none", "skip_connect"]), **table.columns}
    for save in (np.savez, np.savez_compressed):
        save(file := io.BytesIO(), **arrays)
        found.append(file.getvalue())
    return found


def batches() -> list[bytes]:
    """As CIFAR's."""
    batch = {"data": np.zeros((4, 12), np.uint8), "labels": [0, 1, 2, 3]}
    return [pickle.dumps(batch, protocol) for protocol in (0, 2, 4)]


def weights() -> list[bytes]:
    from safetensors.torch import save

    tensors = {"conv.weight": torch.ones(3, 2), "bn.running_mean": torch.zeros(2)}
    whole, old, objects = io.BytesIO(), io.BytesIO(), io.BytesIO()
    torch.save(tensors, whole)
    torch.save(tensors, old, _use_new_zipfile_serialization=False)
    torch.save({"state_dict": tensors, "args": Path("x")}, objects)
    return [save(tensors), whole.getvalue(), old.getvalue(), objects.getvalue(), pickle.dumps(tensors)]


def weights_of(path: Path) -> None:
    """Under each of the names that decide how they are read."""
    for suffix in (".safetensors", ".pth"):
        path.with_suffix(suffix).write_bytes(path.read_bytes())
    for suffix in (".pth", ".safetensors"):
        tensors_in(str(path.with_suffix(suffix)), "begin.weights")
    metadata_of(str(path.with_suffix(".safetensors")))


@cache
def record_files() -> dict[str, bytes]:
    from tempfile import TemporaryDirectory

    with TemporaryDirectory() as folder:
        tensors = {"a": torch.ones(3, 2), "b": torch.zeros(2)}
        write_record(Path(folder) / "record", Record(tensors, {"momentum": tensors, "sums": [1, 2.5]}, {"step": 3}))
        return {name: (Path(folder) / "record" / name).read_bytes() for name in (WEIGHTS, STATE, META)}


def checkpoint(path: Path) -> None:
    """Each file of it in turn, under a manifest that vouches for it."""
    for name in (WEIGHTS, STATE, META):
        try:
            write_folder(path.parent / "record", {**record_files(), name: path.read_bytes()})
            read_record(path.parent / "record")
        except UserError as error:
            refused = error
    raise refused


def run_file(path: Path) -> None:
    """As events and as JSON of a run folder."""
    try:
        Events.read(path)
    finally:
        read_json(path, Shape)


def networks() -> list[bytes]:
    import onnx
    from onnx import TensorProto, helper

    pixels = helper.make_tensor_value_info("images", TensorProto.UINT8, ["n", 1, "h", "w"])
    outs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", 2]) for name in onnx_file.OUTPUTS]
    half = helper.make_tensor("half", TensorProto.FLOAT, [1, 2], [0.5, 0.5])
    nodes = [
        helper.make_node("Cast", ["images"], ["floats"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["floats"], ["mean"], axes=[2, 3], keepdims=0),
        *(helper.make_node("Mul", ["mean", "half"], [name]) for name in onnx_file.OUTPUTS),
    ]
    graph = helper.make_graph(nodes, "net", [pixels], outs, [half])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.checker.check_model(model)
    return [model.SerializeToString()]


def network(path: Path) -> None:
    """With a card that vouches for it, and an image to ask it about."""
    folder, data = path.parent / "export", path.read_bytes()
    folder.mkdir(exist_ok=True)
    (folder / onnx_file.FILE).write_bytes(data)
    hashes = hashes_of({onnx_file.FILE: data})
    card = {"classes": ["a", "b"], "input": {"channels": 1}, "files": hashes, "run": "none", "next": ""}
    (folder / CARD).write_bytes(json_bytes(card))
    Image.new("L", (9, 8)).save(folder / "image.png")
    predict(folder, [folder / "image.png"])


def latencies() -> list[bytes]:
    unit = {"unit": "a", "milliseconds": 1.5}
    return [json_bytes({"units": [unit, unit], "call": unit, "of": {"space": "darts"}, "correction": {"kind": "none"}})]


def lines_of(*rows: str) -> Callable[[], list[bytes]]:
    return lambda: ["\n".join(rows).encode()]


MATRIX = lines_of(",a,b,c,d", "a,1,.9,.1,.2", "b,.9,1,.2,.1", "c,.1,.2,1,.8", "d,.2,.1,.8,1")
EVENTS = lines_of('{"kind": "epoch", "leaf": "0", "phase": "search", "epoch": 1}', '{"kind": "leaf", "leaf": "0"}', "")
DOORS: dict[str, Door] = {
    "recipe": Door(".yaml", recipes, recipe),
    "training": Door(".yaml", trainings, lambda path: load(RetrainRecipe, read_yaml(path), (), {})),
    "architecture": Door(".txt", architectures, architecture),
    "matrix": Door(".csv", MATRIX, lambda path: partition_file(path, 2, False)),
    "predictions": Door(
        ".csv", lines_of("arch,one,two", f"{NB201},1,2.5", "b,2,3"), lambda path: read_predictions(path, [NB201, "b"])
    ),
    "table": Door(".npz", tables, Table.load),
    "checkpoint": Door(".bin", lambda: list(record_files().values()), checkpoint),
    "run": Door(".jsonl", lambda: [*EVENTS(), json.dumps({"a": [1, {"b": 2.5}]}).encode()], run_file),
    "image": Door(".png", images, image),
    "pickle": Door(".pickle", batches, lambda path: read_batch(path, "labels", 12)),
    "extension": Door(".py", lambda: [EXTENSION], load_extension),
    "weights": Door(".pth", weights, weights_of),
    "network": Door(".onnx", networks, network),
    "latency": Door(".json", latencies, read_table),
}
