"""The examples of README and docs are run, and what they promise is there."""

from __future__ import annotations

import re
import shlex
from glob import glob
from importlib import import_module
from pathlib import Path

import pytest

import cleave
from cleave import cli
from cleave.config import checked, parse_change
from cleave.resolve import resolve
from cleave.settings import Recipe
from cleave.space import find_space
from cleave.yaml_text import parse
from tests.registries import as_they_were
from tests.test_imports import SOURCE, levels

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
TINY = (
    "--set data.limit=96 --set data.image_size=8 --set space.channels=2 --set search.batch_size=32 "
    "--set search.epochs=1 --set split.batches=1 --set split.splits=1 --set threads=1 --set trust.control=0 "
    "--set trust.panel=0"
)

EVOLVE = "--population 4 --generations 1 --check 5"


def blocks(path: Path, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", path.read_text(), flags=re.DOTALL)


def readme_commands() -> list[str]:
    lines = [line.split("#")[0].strip() for block in blocks(README, "sh") for line in block.splitlines()]
    return [line for line in lines if line.startswith("cleave ")]


def test_the_guide_to_extending_runs_from_top_to_bottom(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    code = "\n".join(blocks(ROOT / "docs" / "extending.md", "python"))
    with as_they_were():
        exec(compile(code, "extending.md", "exec", dont_inherit=True), {})  # the guide is a program


def test_the_guide_shows_the_whole_example() -> None:
    example = (ROOT / "docs" / "examples" / "chain.py").read_text()
    assert example in blocks(ROOT / "docs" / "extending.md", "python")


def test_the_guide_to_python_runs_from_top_to_bottom(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (code,) = blocks(ROOT / "docs" / "api.md", "python")
    exec(compile(code, "api.md", "exec"), {})
    assert (tmp_path / "runs" / "mine" / "result.json").is_file()


def test_the_recipe_of_the_choice_among_leaves_resolves() -> None:
    (text,) = blocks(ROOT / "docs" / "selection.md", "yaml")
    recipe = checked(Recipe, parse(text))
    resolved, notes = resolve(recipe, find_space(recipe.space))
    assert notes == []
    assert resolved.selection.training["epochs"] == 600


def test_the_readme_begins_with_the_two_commands() -> None:
    first = next(line for line in README.read_text().splitlines() if line.startswith("    make"))
    assert first.split()[:2] == ["make", "demo"]
    makefile = (ROOT / "Makefile").read_text()
    assert all(f"\n{target}:" in makefile for target in ("demo", "test", "lint"))


STUDIES = ("reproduce table6", "study table ", "study table1", "study groups", "study metrics")
"""Commands of the README that need none of the others."""


@pytest.mark.parametrize("studies", [False, True], ids=["searches", "studies"])
def test_the_commands_of_the_readme_work(
    studies: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """In their order, in one folder, searches cut down; a small image folder, matrix and table stand in."""
    from tests.tiny import HERE, write_images, write_table

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CLEAVE_BENCHMARK", str(tmp_path / "table.npz"))
    write_images(tmp_path / "my-images", each=60)
    write_table(tmp_path / "table.npz")
    (tmp_path / "similarities.csv").write_text("a,b,c,d\n1,.9,.1,.2\n.9,1,.2,.1\n.1,.2,1,.8\n.2,.1,.8,1\n")
    commands = [each for each in readme_commands() if each.partition(" ")[2].startswith(STUDIES) == studies]
    assert len(commands) >= 5
    for command in commands:
        if command.startswith("cleave design "):
            continue  # the guide to designing runs it
        words = shlex.split(command.replace("--sample 500", "--sample 50"))[1:]
        runs = words[0] in ("search", "resume", "reproduce") and words[1:2] != ["all"]
        parallel = runs or words[1:2] in (["table"], ["table1/seeds"])
        here = HERE if parallel else ()
        training, exporting = "training.epochs=2", "--format plain"
        kinds = {"search": TINY, "plan": TINY, "train": training, "evolve": EVOLVE, "export": exporting}
        tiny = kinds.get(words[0], "")
        status = cli.run([*words, *here, *shlex.split(tiny)])
        assert status == 0, (command, capsys.readouterr().err)
    for guide in () if studies else ("limits.md", "report.md"):
        (shell,), (code,) = (blocks(ROOT / "docs" / guide, language) for language in ("sh", "python"))
        assert set(shell.splitlines()) <= set(commands)
        exec(compile(code, guide, "exec"), {"cleave": cleave})


def test_the_guide_to_evolution_runs_from_top_to_bottom(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tests.tiny import HERE

    monkeypatch.chdir(tmp_path)
    (shell,), (code,) = (blocks(ROOT / "docs" / "evolve.md", language) for language in ("sh", "python"))
    search = f"{TINY} --set method.samples=4 {shlex.join(HERE)}"
    tiny = {"search": search, "evolve": EVOLVE, "train": "training.epochs=1"}
    for command in shell.splitlines():
        words = shlex.split(command.replace("--samples 200", "--samples 12"))[1:]
        assert cli.run([*words, *shlex.split(tiny[words[0]])]) == 0, command
    exec(compile(code, "evolve.md", "exec"), {"cleave": cleave})


def test_the_guide_to_tracking_runs_from_top_to_bottom(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With trackers that fail: nothing of a test may go to where a developer's own settings say."""
    from tests.tiny import HERE, write_images

    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path / "broken"))
    (tmp_path / "broken").mkdir()
    monkeypatch.delenv("CLEAVE_TRACKER")
    for name in ("wandb", "mlflow"):
        (tmp_path / "broken" / f"{name}.py").write_text("raise OSError('broken')")
    write_images(tmp_path / "my-images", each=60)
    (shell,), (code,) = (blocks(ROOT / "docs" / "tracking.md", language) for language in ("sh", "python"))
    tiny = {"search": f"{TINY} {shlex.join(HERE)}", "train": "training.epochs=1 training.batch_size=20"}
    for command in shell.splitlines():
        words = shlex.split(command, comments=True)[1:]
        assert cli.run([*words, *shlex.split(tiny[words[0]])]) == 0, command
    sizes = {key: int(value) for key, value in (word.split("=") for word in TINY.split() if "=" in word)}
    small = code.replace('data="bundled"', f"data='my-images', settings={sizes}")
    exec(compile(small, "tracking.md", "exec"), {"cleave": cleave})
    assert (tmp_path / "runs" / "watched" / "trackers" / "wandb.json").is_file()


def test_the_guide_to_the_verdict_runs_from_top_to_bottom(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tests.tiny import HERE, write_images

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("cleave.search.opponents.USUAL", ())
    write_images(tmp_path / "my-images", each=60)
    (shell,), (code,) = (blocks(ROOT / "docs" / "verdict.md", language) for language in ("sh", "python"))
    small = "training.epochs=1 training.batch_size=20"
    tiny = {"search": f"{TINY} {shlex.join(HERE)}", "train": small}
    for command in shell.splitlines():
        words = shlex.split(command)[1:]
        assert cli.run([*words, *shlex.split(tiny.get(words[0], ""))]) == 0, command
    exec(compile(code, "verdict.md", "exec"), {"cleave": cleave})


def test_the_guide_to_exporting_runs_from_top_to_bottom(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from PIL import Image

    from tests.tiny import HERE

    pytest.importorskip("onnxscript")
    monkeypatch.chdir(tmp_path)
    Image.new("RGB", (40, 30), "grey").save("image.png")
    (shell,), (code,) = (blocks(ROOT / "docs" / "export.md", language) for language in ("sh", "python"))
    tiny = {"search": f"{TINY} --set method.samples=2 {shlex.join(HERE)}", "train": "training.epochs=1"}
    for command in shell.splitlines():
        words = shlex.split(command)[1:]
        assert cli.run([*words, *shlex.split(tiny.get(words[0], ""))]) == 0, command
    exec(compile(code, "export.md", "exec"), {"cleave": cleave})


def test_the_guide_to_once_for_all_runs_from_top_to_bottom(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    shell, _ = blocks(ROOT / "docs" / "once-for-all.md", "sh")  # the other: tests/search/test_beginning.py
    sizes = TINY.replace("space.channels=2", "space.depths=[1,2]") + " --set method.samples=2 --set trust.control=0"
    tiny = {"search": sizes, "evolve": EVOLVE}
    for command in shell.splitlines():
        words = shlex.split(command)[1:]
        assert cli.run([*words, *shlex.split(tiny[words[0]])]) == 0, command


def test_the_guide_to_comparing_runs_from_top_to_bottom(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Searches, ranking and training cut down."""
    pytest.importorskip("scipy")
    monkeypatch.chdir(tmp_path)
    changes = dict(parse_change(word) for word in shlex.split(TINY) if "=" in word)
    small = {key: value for key, value in changes.items() if not key.startswith("split.")}
    small = {**small, "method.samples": 3}
    one, other = blocks(ROOT / "docs" / "comparing.md", "python")
    code = (one + other).replace("sample=30, alone=10", "sample=3, alone=1").replace("epochs=20", "epochs=1")
    code = code.replace("seed=seed,", f"seed=seed, settings={small!r},")
    exec(compile(code, "comparing.md", "exec"), {})
    for command in blocks(ROOT / "docs" / "comparing.md", "sh"):
        if command.startswith("cleave compare"):
            words = [word for each in shlex.split(command)[1:] for word in sorted(glob(each)) or [each]]
            assert cli.run(words) == 0
    assert (tmp_path / "compared.html").is_file()
    (short,) = blocks(README, "python")
    short = short.replace("seed=seed)", f"seed=seed, settings={small!r})").replace("range(3)", "range(2)")
    exec(compile(short, "README.md", "exec"), {})


def test_the_guide_to_designing_runs_from_top_to_bottom(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from PIL import Image

    from tests.design.still import SMALL, stand_still, write_folder

    stand_still(monkeypatch)
    monkeypatch.chdir(tmp_path)
    Image.new("RGB", (40, 30), "grey").save("image.png")
    write_folder(tmp_path / "my-images", {"train": 20, "test": 8})
    (shell,), (code,) = (blocks(ROOT / "docs" / "design.md", language) for language in ("sh", "python"))
    tiny = f"--set width={SMALL['width']} --set threads=1"
    for command in shell.splitlines():
        words = shlex.split(command.replace("15m", "100s"))[1:]
        assert cli.run([*words, *shlex.split(tiny if words[0] == "design" else "")]) == 0, command
    code = code.replace("15m", "100s").replace('out="', 'settings={"width": 0.25, "threads": 1}, out="')
    exec(compile(code, "design.md", "exec"), {"cleave": cleave})


def test_every_file_that_the_docs_point_to_is_there() -> None:
    for path in [README, *(ROOT / "docs").rglob("*.md")]:
        for target in re.findall(r"\]\(([^)#:]+)\)", path.read_text()):
            assert (path.parent / target).exists(), (path.name, target)


def test_the_architecture_page_names_every_package_in_the_order_of_their_imports() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    named = re.findall(r"^\| `cleave\.(\w+)` \|", text, flags=re.MULTILINE)
    assert {folder.name for folder in SOURCE.iterdir() if (folder / "__init__.py").exists()} <= set(named)
    order = {name: number for number, level in enumerate(levels()) for name in level}
    places = [order[name] for name in named if name in order]
    assert places == sorted(places)


def test_the_glossary_is_sorted_and_all_code_in_it_exists() -> None:
    text = (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8")
    words = [word.casefold() for word in re.findall(r"^- \*\*(.*?)\*\*:", text, flags=re.MULTILINE)]
    assert len(words) >= 30
    assert words == sorted(set(words))
    for name in re.findall(r"`(cleave[.\w]*)`", text):
        home, _, last = name.rpartition(".")
        assert hasattr(import_module(home), last), name


def test_no_text_holds_the_marks_of_an_unfinished_merge() -> None:
    marks = re.compile(r"^(<{7}|>{7}|\|{7}) ", re.MULTILINE)
    texts = [
        *ROOT.glob("*.*"),
        *(path for part in ("docs", "recipes", "src", "tests") for path in (ROOT / part).rglob("*.*")),
    ]
    wanted = {".md", ".py", ".toml", ".yaml", ".cff", ".html", ".js", ".css"}
    assert [path for path in texts if path.suffix in wanted and marks.search(path.read_text())] == []
