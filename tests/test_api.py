"""The same search from Python: what is given in which way, what comes back, and what of the process is left alone."""

from __future__ import annotations

import ast
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from inspect import signature
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

import cleave
from cleave import api, cli
from cleave.api.arguments import asked_for
from cleave.data.images import Images
from cleave.data.split import held_out
from cleave.engine.engine import Engine
from cleave.engine.progress import Callbacks
from cleave.engine.stop import SignalStop
from cleave.method import DartsSettings, RspsSettings
from cleave.net import build, count_parameters
from cleave.run.origin import SEARCH, read_origin
from cleave.settings import Recipe, SplitSettings
from cleave.space.nb201 import NASBench201
from cleave.space.registry import SPACES, find_space
from cleave.torch_state import cpu_threads, seeded
from tests.recorder import Recorder
from tests.study.small import SMALL as SMALL_STUDY
from tests.tiny import RSPS, SIZES, Ended, search, write_images, write_table

ROOT = Path(__file__).parents[1]
SMALL = {**SIZES, "space.ops": ["none", "skip_connect", "nor_conv_1x1"]}
QUICK = {**SMALL, **RSPS, "split.splits": 1, "trust.control": 0}
HEAVY = ("torch", "numpy", "pydantic", "typer", "rich", "yaml", "PIL")


def tensors(count: int = 40, size: int = 8, channels: int = 3) -> tuple[Tensor, Tensor]:
    """Random images of two classes."""
    return torch.randint(256, (count, channels, size, size), dtype=torch.uint8), torch.arange(count) % 2


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_images(tmp_path_factory.mktemp("images"))


@pytest.fixture(scope="module")
def given() -> tuple[Tensor, Tensor]:
    return tensors()


@pytest.fixture(scope="module")
def result(given: tuple[Tensor, Tensor], tmp_path_factory: pytest.TempPathFactory) -> cleave.SearchResult:
    """Of a finished search on tensors, by gradient matching."""
    return cleave.search(data=given, out=tmp_path_factory.mktemp("runs") / "run", settings=SMALL)


def in_a_process(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()


def test_importing_cleave_loads_nothing_that_takes_time() -> None:
    code = f"import sys, cleave; print([name for name in {HEAVY} if name in sys.modules])"
    assert in_a_process(code) == "[]"


def test_importing_the_functions_leaves_signals_and_environment_alone() -> None:
    code = """
import os, signal
state = lambda: ([signal.getsignal(number) for number in signal.valid_signals()], dict(os.environ))
before = state()
import cleave
[getattr(cleave, name) for name in cleave.__all__]
print(before == state())
"""
    assert in_a_process(code) == "True"


def test_every_public_name_is_there_and_listed() -> None:
    assert sorted(cleave.__all__) == cleave.__all__
    assert all(getattr(cleave, name) is not None for name in cleave.__all__)
    assert {*cleave.__all__} <= {*dir(cleave)}
    with pytest.raises(AttributeError, match="no attribute 'serach'"):
        _ = cleave.serach


def test_the_docs_list_the_public_names() -> None:
    listed = (ROOT / "docs" / "api.md").read_text().split("## Public names")[1]
    names = [line.split("`")[1] for line in listed.splitlines() if line.startswith("- `")]
    assert sorted(names) == cleave.__all__


@pytest.mark.parametrize("name", ["search", "rank", "plan", "evolve", "export", "report", "study"])
def test_a_subpackage_is_called_as_the_function_of_its_name(name: str) -> None:
    assert callable(getattr(cleave, name))
    assert signature(getattr(cleave, name)) == signature(getattr(api, name))
    assert getattr(cleave, name).__path__


def calls_of(module: Path) -> set[str]:
    """What a module imports of cleave, anywhere in it."""
    nodes = ast.walk(ast.parse(module.read_text()))
    return {node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)}


@pytest.mark.parametrize(
    "file",
    [
        "cli.py", "design/command.py", "evolve/command.py", "rank/command.py", "study/command.py", "export/command.py",
        "pages/command.py",
    ],
)  # fmt: skip
def test_the_command_line_reaches_runs_through_the_api_alone(file: str) -> None:
    inner = {"cleave.search.runner", "cleave.study.runner", "cleave.rank.runner", "cleave.plan.plan", "cleave.plan"}
    inner |= {"cleave.evolve.runner", "cleave.export.runner", "cleave.design.runner", "cleave.pages.runner"}
    assert not calls_of(ROOT / "src" / "cleave" / file) & (inner | {"cleave.split.matrix"})


def test_signals_are_heard_by_commands_alone() -> None:
    sources = {path: path.read_text() for path in (ROOT / "src" / "cleave").rglob("*.py")}
    using = {path for path, text in sources.items() if "SignalStop" in text}
    commands = (
        "cli.py",
        "rank/command.py",
        "study/command.py",
        "deploy/command.py",
        "design/command.py",
        "evolve/command.py",
        "export/command.py",
        "pareto/command.py",
        "reproduce/command.py",
        "retrain/command.py",
        "retrain/compare_command.py",
        "retrain/gang_command.py",
        "retrain/verdict_command.py",
    )
    assert using == {ROOT / "src" / "cleave" / name for name in ("engine/stop.py", *commands)}


COMMANDS = {
    "search": (["search", "--out", "runs/a", "--seed", "3", "--workers", "1"], {"out": Path("runs/a"), "workers": 1}),
    "plan": (["plan", "--seed-less"], {}),
    "rank": (["rank", "runs/a", "--sample", "5"], {"sample": 5, "images": 500}),
    "evolve": (["evolve", "runs/a", "--max-macs", "2000"], {"max_macs": 2000, "by": "accuracy", "generations": None}),
    "report": (["report", "runs/a", "runs/b", "--data", "c"], {"data": "c", "space": None}),
    "compare_runs": (["compare", "runs/a", "runs/b", "--by", "name"], {"by": "name", "against": None}),
    "partition": (["partition", "m.csv", "--parts", "2"], {"distance": False}),
    "resume": (["resume", "runs/a", "--device", "cpu"], {"device": "cpu", "workers": None}),
    "study": (["study", "run", "table1/seeds", "--budget", "tiny"], {"out": None}),
}


class Called(Exception):
    """Raised in place of the work."""


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_is_a_call_of_the_public_function(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    seen: dict[str, Any] = {}

    def function(*given: Any, **named: Any) -> None:  # noqa: ANN401
        seen.update(named)
        raise Called

    monkeypatch.setattr(api, name, function)
    words, wanted = COMMANDS[name]
    with pytest.raises(Called):
        cli.run([word for word in words if word != "--seed-less"])
    assert {key: seen[key] for key in wanted} == wanted
    assert name in ("plan", "partition", "report", "compare_runs") or isinstance(seen["stop"], SignalStop)


def test_a_search_from_python_is_the_one_of_the_command_line(
    images: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ended = Ended(search(images, tmp_path / "one", RSPS), capsys)
    found = cleave.search(data=images, out=tmp_path / "two", settings={**SMALL, **RSPS})
    for name in ("result.json", "events.jsonl", "tree.json"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
    told = json.loads(ended.out)
    assert {**found.to_json(), "run": 0, "seconds": 0} == {**told, "run": 0, "seconds": 0}


def test_names_and_objects_mean_the_same(images: Path, tmp_path: Path) -> None:
    sizes = {key: value for key, value in SMALL.items() if key != "space.ops"}
    cleave.search(data=str(images), out=tmp_path / "names", settings={**SMALL, **RSPS})
    cleave.search(
        space=NASBench201(["none", "skip_connect", "nor_conv_1x1"]),
        method=RspsSettings(samples=3),
        splitter=SplitSettings(splitter="random"),
        data=images,
        out=tmp_path / "objects",
        settings=sizes,
    )
    recipes = [dict(read_origin(tmp_path / name, SEARCH).recipe) for name in ("names", "objects")]
    assert recipes[0] == recipes[1]


def recipe_of(**given: Any) -> Recipe:  # noqa: ANN401
    """What a search is asked for."""
    names = ("space", "method", "splitter", "data", "recipe", "settings", "seed", "device")
    recipe, _ = asked_for(*(given.get(name) for name in names), Engine())
    return recipe


def test_arguments_and_settings_change_a_recipe_of_any_kind(tmp_path: Path) -> None:
    (tmp_path / "r.yaml").write_text("method: {name: rsps, samples: 7}\nseed: 5\n")
    mapping = {"method": {"name": "rsps", "samples": 7}, "seed": 5}
    for recipe in (
        tmp_path / "r.yaml",
        str(tmp_path / "r.yaml"),
        mapping,
        Recipe(method=RspsSettings(samples=7), seed=5),
    ):
        found = recipe_of(recipe=recipe, seed=6, settings={"method.rejects": False, "data.limit": None})
        assert found.method == RspsSettings(samples=7, rejects=False)
        assert (found.seed, found.data.limit) == (6, None)
    assert mapping == {"method": {"name": "rsps", "samples": 7}, "seed": 5}


def test_the_settings_of_a_method_replace_those_of_a_recipe() -> None:
    recipe = {"method": {"name": "rsps", "samples": 7}}
    assert recipe_of(recipe=recipe, method=DartsSettings(momentum=0.5)).method == DartsSettings(momentum=0.5)
    assert recipe_of(recipe=recipe, method=RspsSettings).method == RspsSettings()


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"method": "rspss"}, "did you mean 'rsps'"),
        ({"method": 3}, "method: give a name or settings"),
        ({"splitter": 3}, "splitter: give a name or"),
        ({"space": 3}, "space: give a name or a cleave.Space"),
        ({"data": 3}, "data: give a name, a folder"),
        ({"data": (1, 2, 3, 4)}, "data: give"),
        ({"settings": {"search.epoch": 3}}, "search.epoch: unknown key; did you mean search.epochs?"),
        ({"method": "rsps", "settings": {"method.name": "darts"}}, "method.name: is given twice"),
        ({"data": "tensors"}, "given in Python"),
        ({"callbacks": [print]}, "callbacks: each needs"),
    ],
)
def test_what_is_given_wrongly_is_one_line(given: dict[str, Any], words: str, tmp_path: Path) -> None:
    with pytest.raises(cleave.UserError) as error:
        cleave.search(out=tmp_path / "run", **given)
    assert words in str(error.value)
    assert "\n" not in str(error.value)
    assert not (tmp_path / "run").exists()


class Chain(cleave.Space):
    """Two layers."""

    name = "chain of two"
    paper_size = cleave.NetworkSize(4, 1)
    choices = tuple(cleave.Choice(f"layer{i}", ("nor_conv_1x1", "skip_connect")) for i in range(2))

    def layout(self, size: cleave.NetworkSize, image_channels: int) -> cleave.Layout:
        width = size.channels
        layers = [(choice.name, cleave.Layer(choice.name, width, width)) for choice in self.choices]
        return cleave.Layout((("stem", cleave.Fixed("conv_3x3_bn", image_channels, width)), *layers), width)

    def format(self, arch: cleave.Arch) -> str:
        return ",".join(arch[choice.name] for choice in self.choices)

    def parse(self, text: str) -> cleave.Arch:
        return dict(zip((choice.name for choice in self.choices), text.split(","), strict=True))


@pytest.mark.parametrize("kind", [Chain, Chain()])
def test_a_space_of_ones_own_is_searched(
    kind: Chain | type[Chain], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sizes = {key: value for key, value in QUICK.items() if key != "space.ops"}
    try:
        found = cleave.search(space=kind, data=tensors(), out=tmp_path / "run", settings=sizes)
        SPACES.pop("chainoftwo")
        cleave.load(tmp_path / "run", space=kind).show()
        assert found.arch in capsys.readouterr().out
        assert found.network()(tensors(4)[0]).shape == (4, 2)
    finally:
        SPACES.pop("chainoftwo", None)


def test_a_space_takes_no_name_of_cleaves_own_and_no_operations() -> None:
    class Imposter(Chain):
        name = "NAS-Bench 201"

    with pytest.raises(cleave.UserError, match="give yours another name"):
        recipe_of(space=Imposter())
    try:
        recipe_of(space=Chain())
        with pytest.raises(cleave.UserError, match=r"space\.ops: has no meaning with chain of two"):
            find_space("chain of two", 2)
    finally:
        SPACES.pop("chainoftwo", None)


def test_a_space_that_workers_cannot_import_is_refused_at_once(tmp_path: Path) -> None:
    class Local(Chain):
        name = "local"

    with pytest.raises(cleave.UserError, match=r"workers=2, .*: other processes cannot import Local.*save the"):
        cleave.search(space=Local(), data=tensors(), out=tmp_path / "run", workers=2)
    assert not (tmp_path / "run").exists()


def test_a_result_says_what_the_run_says(result: cleave.SearchResult, capsys: pytest.CaptureFixture[str]) -> None:
    told = json.loads(Ended(["show", str(result.run), "--json"], capsys).out)
    assert result.to_json() == told
    chosen = told["chosen"]
    assert (result.arch, result.accuracy) == (chosen["arch"], chosen["valid_accuracy"])
    assert result.balanced_accuracy == chosen["valid_balanced_accuracy"]
    assert result.tree == json.loads((result.run / "tree.json").read_text())
    assert (result.leaves, result.trust, result.cost) == (told["leaves"], told["trust"], told["cost"])
    assert cleave.load(result.run) == result
    result.to_json().clear()
    assert result.to_json() == told
    printed = Ended(["show", str(result.run)], capsys).out
    result.show()
    assert capsys.readouterr().out == printed


def judged(network: Callable[[Tensor], Tensor], images: Images, batch: int = 250) -> float:
    """Percent right, in batches as equal as a search's."""
    parts = -(-len(images) // batch)
    pairs = zip(images.pixels.tensor_split(parts), images.labels.tensor_split(parts), strict=True)
    with torch.no_grad():
        return 100 * sum(int((network(x).argmax(1) == y).sum()) for x, y in pairs) / len(images)


def test_the_network_repeats_the_held_out_accuracy(result: cleave.SearchResult, given: tuple[Tensor, Tensor]) -> None:
    _, held = held_out(Images(*given, ("0", "1"), shuffled=False), 0.5)
    network = result.network()
    assert judged(network, held) == result.accuracy
    assert judged(lambda pixels: network(pixels.float() / 255), held) == result.accuracy
    assert isinstance(network, torch.nn.Module)


def test_the_network_has_the_architectures_weights_and_no_others(result: cleave.SearchResult) -> None:
    space, network = find_space("nasbench201"), result.network()
    layout = space.layout(cleave.NetworkSize(2, 1), 3)
    alone = build(layout, cleave.Region.of(space.parse(result.arch)), 2, 0, cleave.Norm(affine=False))
    assert count_parameters(network) == count_parameters(alone)


def test_the_weights_of_random_search_are_not_kept(tmp_path: Path) -> None:
    settings = {**SMALL, "split.splits": 1, "trust.control": 0, "method.samples": 1}
    found = cleave.search(method="random", splitter="random", data=tensors(), out=tmp_path / "run", settings=settings)
    with pytest.raises(cleave.UserError, match=r"method\.name=random keeps no weights"):
        found.network()


class Asking(cleave.Callback):
    """Asks to stop after so many steps."""

    def __init__(self, steps: int) -> None:
        self.steps = steps

    def see(self, progress: cleave.Progress) -> None:
        self.steps -= 1
        if self.steps == 0:
            raise cleave.Interrupted


@pytest.mark.parametrize("workers", [1, 2])
def test_a_callback_that_raises_interrupted_stops_a_search_which_goes_on(
    workers: int, images: Path, tmp_path: Path
) -> None:
    settings = {**SMALL, "search.checkpoint_seconds": 1000}
    whole = cleave.search(data=images, out=tmp_path / "whole", settings=settings)
    with pytest.raises(cleave.Interrupted, match="interrupted and saved; go on with"):
        cleave.search(data=images, out=tmp_path / "run", settings=settings, workers=workers, callbacks=[Asking(3)])
    with pytest.raises(cleave.UserError, match=r"is not finished; go on with cleave\.resume"):
        cleave.load(tmp_path / "run")
    seen = Recorder()
    found = cleave.resume(tmp_path / "run", callbacks=[seen])
    assert (found.arch, found.leaves, found.trust) == (whole.arch, whole.leaves, whole.trust)
    assert seen.moments


def test_another_thread_can_stop_a_search(images: Path, tmp_path: Path) -> None:
    stop = cleave.Stop()
    stop.requested = True
    with pytest.raises(cleave.Interrupted):
        cleave.search(data=images, out=tmp_path / "run", settings=QUICK, stop=stop)
    assert cleave.resume(tmp_path / "run").arch


class Pressing(cleave.Callback):
    """As Ctrl-C in a notebook: Python raises it in the middle of something."""

    def see(self, progress: cleave.Progress) -> None:
        if progress.done > 2:
            raise KeyboardInterrupt


def test_a_keyboard_interrupt_says_how_to_go_on(images: Path, tmp_path: Path) -> None:
    whole = cleave.search(data=images, out=tmp_path / "whole", settings=QUICK)
    with pytest.raises(cleave.Interrupted, match="go on from what was saved last with: cleave resume"):
        cleave.search(data=images, out=tmp_path / "run", settings=QUICK, callbacks=[Pressing()])
    assert cleave.resume(tmp_path / "run").leaves == whole.leaves


def test_a_search_in_a_thread_sets_no_signal_handlers(images: Path, tmp_path: Path) -> None:
    def handlers() -> list[object]:
        return [signal.getsignal(number) for number in signal.valid_signals()]

    during: list[list[object]] = []

    class Looking(cleave.Callback):
        def see(self, progress: cleave.Progress) -> None:
            during.append(handlers())

    before, found = handlers(), list[cleave.SearchResult]()

    def work(name: str, workers: int) -> None:
        out, callbacks = tmp_path / name, [Looking()]
        found.append(cleave.search(data=images, out=out, settings=QUICK, workers=workers, callbacks=callbacks))

    work("main", 1)
    thread = threading.Thread(target=work, args=("thread", 2))
    thread.start()
    thread.join()
    assert handlers() == before
    assert during
    assert all(each == before for each in during)
    assert found[0].leaves == found[1].leaves


def test_searches_at_the_same_time_do_not_disturb_each_other(images: Path, tmp_path: Path) -> None:
    settings = {**SMALL, "method.name": "drnas", "split.splitter": "random"}
    found: dict[int, cleave.SearchResult] = {}

    def work(number: int) -> None:
        found[number] = cleave.search(data=images, out=tmp_path / str(number), settings=settings)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    work(2)
    assert all(each.leaves == found[2].leaves for each in found.values())


def test_torchs_threads_and_random_numbers_are_put_back(images: Path, tmp_path: Path) -> None:
    with cpu_threads(3):
        torch.manual_seed(5)
        state = torch.get_rng_state()
        found = cleave.search(data=images, out=tmp_path / "run", settings=QUICK)
        cleave.plan(data=images, settings=QUICK)
        assert torch.get_num_threads() == 3
        assert torch.equal(torch.get_rng_state(), state)
        with pytest.raises(cleave.Interrupted):
            cleave.search(data=images, out=tmp_path / "other", settings=QUICK, callbacks=[Asking(1)])
        assert torch.get_num_threads() == 3
    assert found.run == tmp_path / "run"
    with pytest.raises(RuntimeError), cpu_threads(2):
        raise RuntimeError
    assert torch.get_num_threads() == 1
    with seeded(1):
        one = torch.rand(2)
    with seeded(1):
        assert torch.equal(torch.rand(2), one)


def test_a_run_of_tensors_goes_on_with_the_same_ones_only(
    tmp_path: Path, given: tuple[Tensor, Tensor], capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    with pytest.raises(cleave.Interrupted):
        cleave.search(data=given, out=run, settings=QUICK, callbacks=[Asking(2)])
    line = "stands for images that were given in Python: give them again there"
    assert Ended(["resume", str(run)], capsys).refuses(line, "cleave.resume(run, data=(images, labels))")
    with pytest.raises(cleave.UserError, match=line):
        cleave.resume(run)
    with pytest.raises(cleave.UserError, match=r"not the images that .* was started with"):
        cleave.resume(run, data=tensors())
    with pytest.raises(cleave.UserError, match="leave data out"):
        cleave.resume(run, data="bundled")
    whole = cleave.search(data=given, out=tmp_path / "whole", settings=QUICK)
    assert cleave.resume(run, data=given).leaves == whole.leaves


def test_no_other_images_go_with_a_run_that_names_its_own(images: Path, tmp_path: Path) -> None:
    with pytest.raises(cleave.Interrupted):
        cleave.search(data=images, out=tmp_path / "run", settings=QUICK, callbacks=[Asking(2)])
    with pytest.raises(cleave.UserError, match=r"data: the images of this run are .*images.*leave data out"):
        cleave.resume(tmp_path / "run", data=tensors())
    with pytest.raises(cleave.UserError, match="a run knows the name of its space"):
        cleave.resume(tmp_path / "run", space="nasbench201")  # type: ignore[arg-type]


def test_a_recipe_that_says_tensors_is_refused_by_every_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tensors").mkdir()
    for words in (["search"], ["plan"], ["study", "run", "table1/seeds", "--budget", "tiny"]):
        assert Ended([*words, "--data", "Tensors"], capsys).refuses("given in Python", "(./tensors)")


def test_ranking_asks_for_the_tensors_again(tmp_path: Path, given: tuple[Tensor, Tensor]) -> None:
    table = tmp_path / "table.npz"
    write_table(table)
    settings = {**QUICK, "benchmark": str(table)}
    run = cleave.search(data=given, out=tmp_path / "run", settings=settings)
    ranking = cleave.rank(run, data=given, sample=10, connected=True, threads=1)
    assert ranking["architectures"] == 10
    assert Path(ranking["file"]) == tmp_path / "run" / "ranking.csv"
    with pytest.raises(cleave.UserError, match="given in Python"):
        cleave.rank(run.run, sample=10, connected=True, out=tmp_path / "other.csv")


def test_a_plan_takes_what_a_search_takes(given: tuple[Tensor, Tensor]) -> None:
    found = cleave.plan(method=RspsSettings(samples=3), splitter="random", data=given, settings=SMALL)
    assert (found["method"], found["splitter"], found["images"]["name"]) == ("rsps", "random", "tensors")


def test_a_study_runs_and_goes_on(tmp_path: Path) -> None:
    with pytest.raises(cleave.Interrupted, match="go on with"):
        cleave.study(settings=SMALL_STUDY, out=tmp_path / "run", seed=3, callbacks=[Asking(3)])
    found = cleave.resume_study(tmp_path / "run")
    assert found["folder"] == str(tmp_path / "run")
    with pytest.raises(cleave.UserError, match="a study takes a name or a folder"):
        cleave.study(data=tensors())  # type: ignore[arg-type]


def test_several_callbacks_see_the_same() -> None:
    one, other = Recorder(), Recorder()
    both = Callbacks([one, other])
    both.say("a line")
    both.see(cleave.Progress(1, 2, "root", "search"))
    assert one.lines == other.lines == ["a line"]
    assert one.moments == other.moments


@pytest.mark.parametrize("as_given", [torch.Tensor.tolist, torch.Tensor.numpy, torch.Tensor.clone])
def test_a_matrix_at_hand_is_cut_as_one_in_a_file(as_given: Callable[[Tensor], object], tmp_path: Path) -> None:
    half = torch.rand(5, 5, dtype=torch.float64).triu(1)
    matrix = half + half.T
    names = [f"c{number}" for number in range(5)]
    rows = [",".join(names), *(",".join(map(repr, row)) for row in matrix.tolist())]
    (tmp_path / "m.csv").write_text("\n".join(rows))
    for distance in (False, True):
        found = cleave.partition(as_given(matrix), 2, distance=distance)
        named = cleave.partition(tmp_path / "m.csv", 2, distance=distance)
        assert [[names[number] for number in group] for group in found["groups"]] == named["groups"]
        assert found["cut"] == named["cut"]


@pytest.mark.parametrize(
    ("matrix", "parts", "words"),
    [
        ([[0, 1]], 1, r"\[n, n\], not \[1, 2\]"),
        ([[0, 1], [2, 0]], 1, "not symmetric: 0, 1 is 1.0 but the other way 2.0"),
        ([[0, float("nan")], [float("nan"), 0]], 1, "no finite number"),
        ([[0, 1], [1, 0]], 3, "--parts 3: the matrix has 2 candidates"),
        ("absent.csv", 3, "cannot be read"),
        (object(), 3, "has to be a file, or numbers"),
    ],
)
def test_what_is_no_matrix_is_refused(matrix: object, parts: int, words: str) -> None:
    with pytest.raises(cleave.UserError, match=words):
        cleave.partition(matrix, parts)


def test_the_environment_is_left_alone(images: Path, tmp_path: Path) -> None:
    before = dict(os.environ)
    cleave.search(data=images, out=tmp_path / "run", settings=QUICK)
    changed = {name for name in {*before, *os.environ} if before.get(name) != os.environ.get(name)}
    assert changed <= {"PYTEST_CURRENT_TEST"}
