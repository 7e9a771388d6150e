"""A recipe that is edited and files that change while a run is at work: never a mix of two, never without a word."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from cleave.engine.progress import Callback, Progress
from cleave.errors import UserError
from tests.run.befalling import TINY, Damage, Killed, empty, pipe, recipe_of, resumed, whole_again, whole_run
from tests.tiny import HERE, Ended, search

Capture = pytest.CaptureFixture[str]


def edited(before: str, after: str) -> Damage:
    def edit(file: Path) -> None:
        text = file.read_text()
        assert before in text
        file.write_text(text.replace(before, after))

    return edit


EDITS: dict[str, tuple[Damage, list[str]]] = {
    "a number": (edited("seed: 0", "seed: 1"), ["seed is 1, but 0"]),
    "two": (
        edited("padding: null\n  flip: true\n", "padding: 1\n  flip: false\n"),
        ["data.padding is 1", "data.flip is False, but True"],
    ),
    "a key too few": (edited("threads: 1\n", ""), ["threads is missing, but 1"]),
    "a key too many": (edited("threads: 1\n", "threads: 1\nthread: 2\n"), ["thread is 2, but not there"]),
    "a device": (edited("device: cpu", "device: cuda"), ["device is 'cuda', but 'cpu'", "--device"]),
    "all": (empty, ["space is missing", "more"]),
    "no recipe": (lambda file: file.write_text("[1, 2]"), ["space is missing"]),
    "no YAML": (lambda file: file.write_text("seed: [1"), ["is not YAML"]),
    "brackets": (lambda file: file.write_text("[" * 5000), ["is not YAML"]),
    "bytes": (lambda file: file.write_bytes(b"\xff\x00"), ["is not YAML"]),
    "huge": (lambda file: file.write_bytes(b" " * (2**20 + 1)), ["more than cleave writes"]),
    "a pipe": (pipe, ["cannot be read"]),
}


@pytest.mark.parametrize("edit", EDITS)
def test_an_edited_recipe_is_refused_with_the_keys_that_differ(edit: str, half: Path, capsys: Capture) -> None:
    damage, words = EDITS[edit]
    damage(half / "recipe.yaml")
    assert resumed(half, capsys).refuses(str(half / "recipe.yaml"), *words)


def test_the_same_recipe_written_in_another_way_is_the_same(half: Path, whole: Path, capsys: Capture) -> None:
    recipe = half / "recipe.yaml"
    recipe.write_text("# mine\n" + recipe.read_text().replace("seed: 0", "seed:    0"))
    assert resumed(half, capsys).status == 0
    assert whole_again(half, whole)


def test_a_recipe_put_back_or_removed_is_gone_on_with(half: Path, whole: Path, capsys: Capture) -> None:
    recipe = half / "recipe.yaml"
    edited("seed: 0", "seed: 1")(recipe)
    assert resumed(half, capsys).refuses("seed is 1, but 0")
    recipe.unlink()
    assert resumed(half, capsys).status == 0
    assert recipe.read_bytes() == (whole / "recipe.yaml").read_bytes()
    assert whole_again(half, whole)


def test_the_device_is_changed_by_a_flag(half: Path, whole: Path, capsys: Capture) -> None:
    assert resumed(half, capsys, "--device", "cuda:99").refuses("device=cuda:99")
    assert resumed(half, capsys, "--device", "cpu").status == 0
    assert whole_again(half, whole)


class Meddler(Callback):
    """Does something when so much is done, and kills the run a while later where it is still there."""

    def __init__(self, meddle: Callable[[], object], then_kill: bool) -> None:
        self.meddle, self.then_kill, self.seen, self.lines = meddle, then_kill, 0, list[str]()

    def see(self, moment: Progress) -> None:
        self.seen += 1
        if self.seen == 10:
            self.meddle()
        if self.seen == 14 and self.then_kill:
            raise Killed


def test_a_recipe_edited_while_the_run_is_at_work_leaves_no_mix(
    befalling: Path, whole: Path, tmp_path: Path, capsys: Capture
) -> None:
    out = tmp_path / "run"
    meddler = Meddler(lambda: edited("seed: 0", "seed: 1")(out / "recipe.yaml"), then_kill=True)
    with pytest.raises(Killed):
        whole_run(befalling / "images", out, meddler)
    assert resumed(out, capsys).refuses(str(out / "recipe.yaml"), "seed is 1, but 0")
    edited("seed: 1", "seed: 0")(out / "recipe.yaml")
    assert resumed(out, capsys).status == 0
    assert whole_again(out, whole)


def grown(file: Path) -> None:
    with file.open("ab") as opened:
        opened.write(b'{"kind": "other"}\n')


def shrunk(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-1])


def zeroed(file: Path) -> None:
    file.write_bytes(bytes(file.stat().st_size))


def turned(file: Path) -> None:
    file.rename(file.with_name("aside"))
    file.write_bytes(file.with_name("aside").read_bytes()[::-1])


@pytest.mark.parametrize("damage", [Path.unlink, grown, shrunk, zeroed, turned, pipe])
def test_events_that_change_while_a_run_is_at_work_are_named(
    damage: Damage, befalling: Path, tmp_path: Path, capsys: Capture
) -> None:
    out = tmp_path / "run"
    meddler = Meddler(lambda: damage(out / "events.jsonl"), then_kill=False)
    with pytest.raises(UserError, match=r"events\.jsonl: ") as refused:
        whole_run(befalling / "images", out, meddler)
    assert "\n" not in str(refused.value)
    assert not (out / "result.json").exists()
    assert not (out / "events.jsonl").is_file() or b"\0" not in (out / "events.jsonl").read_bytes() or damage == zeroed


@pytest.mark.parametrize("name", ["leaves/root", "checkpoints", "parts"])
def test_folders_removed_while_a_run_is_at_work_are_named_or_do_not_matter(
    name: str, befalling: Path, whole: Path, tmp_path: Path, capsys: Capture
) -> None:
    out = tmp_path / "run"
    meddler = Meddler(lambda: shutil.rmtree(out / name), then_kill=False)
    words = search(befalling / "images", out, TINY)
    assert recipe_of(befalling / "images").seed == 0
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("cleave.terminal.Terminal.see", lambda _, moment: meddler.see(moment))
        ended = Ended([*words, *HERE], capsys)
    if ended.status == 0:
        ended = resumed(out, capsys)
    if ended.status == 0:
        assert whole_again(out, whole)
    else:
        assert ended.refuses(str(out / name))
