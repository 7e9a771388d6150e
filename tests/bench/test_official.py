from __future__ import annotations

import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cleave.bench.official import import_official
from cleave.bench.table import ACCURACIES, COSTS, EARLY_ACCURACIES, Table
from cleave.errors import UserError
from tests.bench.published import Published, compress, publish
from tests.fresh import fresh

ALL_NONE = "|none~0|+|none~0|none~1|+|none~0|none~1|none~2|"


@pytest.fixture
def rng() -> np.random.Generator:
    return fresh()


@pytest.fixture
def published(rng: np.random.Generator) -> Published:
    return publish(rng)


def old_numpy(published: Published, path: Path) -> Path:
    """The file as it was written in 2020: torch's older layout, and numpy's module before it was renamed."""
    content = published.torch_file(path, zipped=False).read_bytes()
    assert b"core.multiarray" in content
    path.write_bytes(content.replace(b"numpy._core.multiarray", b"numpy.core.multiarray"))
    return path


LAYOUTS: dict[str, Callable[[Published, Path], Path]] = {
    "folder": lambda published, path: published.folder(path / "NATS-tss-v1_0-3ffb9-simple"),
    "file": lambda published, path: published.file(path / "NATS-tss-v1_0-3ffb9.pickle.pbz2"),
    "torch": lambda published, path: published.torch_file(path / "NAS-Bench-201-v1_1-096897.pth"),
    "older torch": lambda published, path: old_numpy(published, path / "NAS-Bench-201-v1_0-e61699.pth"),
}


@pytest.fixture(params=LAYOUTS)
def layout(request: pytest.FixtureRequest) -> Callable[[Published, Path], Path]:
    return LAYOUTS[request.param]


def refusal(source: Path) -> str:
    with pytest.raises(UserError) as caught:
        import_official(source)
    message = str(caught.value)
    assert message.startswith(str(source))
    assert "\n" not in message
    return message


# What is read


def test_every_layout_gives_the_means_over_seeds(
    published: Published, tmp_path: Path, layout: Callable[[Published, Path], Path]
) -> None:
    table = import_official(layout(published, tmp_path))
    assert [table.arch(index) for index in range(len(table))] == published.archs
    assert set(table.columns) == {*ACCURACIES, *EARLY_ACCURACIES, *COSTS, "seeds"}
    assert set(published.means) >= {*ACCURACIES, *EARLY_ACCURACIES, "seeds", "train_s_cifar100"}
    for column, means in published.means.items():
        np.testing.assert_allclose(table.columns[column], means, rtol=1e-6, err_msg=column)


def test_an_imported_table_answers_the_same_after_saving(published: Published, tmp_path: Path) -> None:
    table = import_official(published.file(tmp_path / "all.pickle.pbz2"))
    table.save(tmp_path / "table.npz")
    again = Table.load(tmp_path / "table.npz")
    for index, arch in enumerate(published.archs):
        assert again.query(arch) == table.query(index)
        assert again.query(arch)["cifar10"]["test"] == pytest.approx(published.means["cifar10_test"][index], abs=1e-4)


def test_progress_counts_the_architectures(published: Published, tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    import_official(published.folder(tmp_path / "folder"), lambda done, total: seen.append((done, total)))
    assert seen == [(done, len(published.archs)) for done in range(1, len(published.archs) + 1)]


def test_where_seeds_disagree_on_the_size_seed_888_is_believed(published: Published, tmp_path: Path) -> None:
    for index, info in published.infos.items():
        runs = info["200"]["all_results"]
        run = runs["cifar10", 777]
        runs["cifar10", 777] = run | {"params": 100.0 + index}
        runs["cifar10", 888] = run | {"params": 200.0 + index}
    sizes = import_official(published.folder(tmp_path / "folder")).columns["params_mb_cifar10"]
    np.testing.assert_array_equal(sizes, 200 + np.arange(len(sizes)))


def test_a_column_that_one_architecture_lacks_is_left_out(
    published: Published, rng: np.random.Generator, tmp_path: Path
) -> None:
    chosen = published.infos[int(rng.integers(len(published.archs)))]
    chosen["200"]["all_results"]["cifar100", 777]["train_times"] = None
    for run in chosen["12"]["all_results"].values():
        run["eval_acc1es"].pop("x-test@11", None)
    table = import_official(published.folder(tmp_path / "folder"))
    absent = {"train_s_cifar100", "e12_cifar100_test", "e12_imagenet16_test"}
    assert set(table.columns) == {*ACCURACIES, *EARLY_ACCURACIES, *COSTS, "seeds"} - absent


# What is refused


def test_a_place_that_is_no_published_benchmark_is_told_what_was_expected(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("not a benchmark")
    for source in (tmp_path, tmp_path / "notes.txt", tmp_path / "nowhere.pth"):
        assert "NATS-tss-v1_0-3ffb9-simple" in refusal(source)


def test_a_missing_record_is_named_by_its_file(published: Published, tmp_path: Path) -> None:
    folder = published.folder(tmp_path / "folder")
    (folder / "000004.pickle.pbz2").unlink()
    assert "000004.pickle.pbz2: is missing" in refusal(folder)


@pytest.mark.parametrize("name", ["meta", "000003"])
def test_a_truncated_or_damaged_record_is_named_by_its_file(
    published: Published, rng: np.random.Generator, tmp_path: Path, name: str
) -> None:
    folder = published.folder(tmp_path / "folder")
    path = folder / f"{name}.pickle.pbz2"
    whole = path.read_bytes()
    for length in (0, rng.integers(len(whole)), len(whole) - 1):
        path.write_bytes(whole[:length])
        assert path.name in refusal(folder)
    path.write_bytes(b"never compressed" + whole)
    assert path.name in refusal(folder)
    flipped = bytearray(whole)
    flipped[len(whole) // 2] ^= 1 << int(rng.integers(8))
    path.write_bytes(flipped)
    assert path.name in refusal(folder)


def test_truncated_single_files_are_refused_wherever_they_end(
    published: Published, rng: np.random.Generator, tmp_path: Path
) -> None:
    for make in (LAYOUTS["file"], LAYOUTS["torch"], LAYOUTS["older torch"]):
        source = make(published, tmp_path)
        whole = source.read_bytes()
        for length in rng.integers(0, len(whole) - 8, 5).tolist():
            source.write_bytes(whole[:length])
            assert "again" in refusal(source)


def test_a_file_that_cannot_be_read_is_not_said_to_be_damaged(
    published: Published, tmp_path: Path, layout: Callable[[Published, Path], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    source = layout(published, tmp_path)

    def denied(path: str, flags: int) -> int:
        raise PermissionError(13, os.strerror(13), path)

    monkeypatch.setattr("cleave.files._open", denied)
    message = refusal(source)
    assert "cannot be read (permission denied)" in message
    assert "again" not in message


def test_memory_that_runs_out_is_no_damage(
    published: Published, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*arguments: object, **named: object) -> None:
        raise MemoryError

    monkeypatch.setattr("torch.load", full)
    message = refusal(LAYOUTS["torch"](published, tmp_path))
    assert "needs more memory than there is" in message
    assert "again" not in message


def test_an_architecture_that_the_single_file_lists_without_results_is_named(
    published: Published, tmp_path: Path
) -> None:
    del published.infos[2]
    for name, make in LAYOUTS.items():
        if name != "folder":
            message = refusal(make(published, tmp_path))
            assert f"architecture 2, {published.archs[2]}" in message


def test_an_architecture_without_the_runs_of_a_data_set_is_named(
    published: Published, tmp_path: Path, layout: Callable[[Published, Path], Path]
) -> None:
    runs = published.infos[1]["200"]["all_results"]
    published.infos[1]["200"]["all_results"] = {key: run for key, run in runs.items() if key[0] != "cifar100"}
    message = refusal(layout(published, tmp_path))
    assert "cifar100_valid, cifar100_test" in message
    assert published.archs[1] in message


def test_a_run_that_stopped_early_is_no_result(published: Published, tmp_path: Path) -> None:
    run = published.infos[5]["200"]["all_results"]["cifar10", 777]
    del run["eval_acc1es"]["ori-test@199"]
    message = refusal(published.folder(tmp_path / "folder"))
    assert "000005.pickle.pbz2" in message
    assert "cifar10_test" in message


def test_the_record_of_another_architecture_is_refused(published: Published, tmp_path: Path) -> None:
    folder = published.folder(tmp_path / "folder")
    os.replace(folder / "000001.pickle.pbz2", folder / "000002.pickle.pbz2")
    published.infos[1] = published.infos[2]
    compress(folder / "000001.pickle.pbz2", published.infos[1])
    message = refusal(folder)
    assert "000001.pickle.pbz2" in message
    assert f" instead of {published.archs[1]}" in message


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -0.5, 100.5])
def test_an_accuracy_that_is_no_percentage_is_refused(published: Published, tmp_path: Path, value: float) -> None:
    published.infos[0]["200"]["all_results"]["cifar100", 777]["eval_acc1es"]["x-valid@199"] = value
    message = refusal(published.folder(tmp_path / "folder"))
    assert "000000.pickle.pbz2" in message
    assert "x-valid@199" in message


def test_an_architecture_of_another_space_is_named(published: Published, tmp_path: Path) -> None:
    foreign = published.archs[0].replace("~2|", "~2|+|sep_conv_3x3~0|")
    published.archs[0] = foreign
    for record in published.infos[0].values():
        record["arch_str"] = foreign
    with pytest.raises(UserError, match="is not of the form") as caught:
        import_official(published.folder(tmp_path / "folder"))
    assert foreign[:30] in str(caught.value)


@pytest.mark.parametrize(
    ("content", "key"),
    [
        ([1, 2, 3], "content"),
        ({"arch2infos": {}}, "meta_archs"),
        ({"meta_archs": [], "arch2infos": {}}, "meta_archs"),
        ({"meta_archs": ["a"], "arch2infos": {"x": {}}}, "arch2infos"),
        ({"meta_archs": [ALL_NONE], "arch2infos": {0: {"12": {}}}}, "200"),
    ],
)
def test_a_pickle_of_another_structure_is_refused_with_the_key(tmp_path: Path, content: object, key: str) -> None:
    assert key in refusal(compress(tmp_path / "other.pickle.pbz2", content))


class Malice:
    """Pickles as a call of os.system that leaves a file behind."""

    def __init__(self, proof: Path) -> None:
        self.proof = proof

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (f"touch {self.proof}",)


@pytest.mark.parametrize("spoiled", ["meta", "000000"])
def test_a_pickle_that_would_run_a_command_is_refused_and_not_run(
    published: Published, tmp_path: Path, spoiled: str
) -> None:
    proof = tmp_path / "proof"
    folder = published.folder(tmp_path / "folder")
    compress(folder / f"{spoiled}.pickle.pbz2", {"meta_archs": published.archs, "12": Malice(proof)})
    assert f"{spoiled}.pickle.pbz2" in refusal(folder)
    assert not proof.exists()


@pytest.mark.parametrize("name", ["file", "torch", "older torch"])
def test_a_single_file_that_would_run_a_command_is_refused_and_not_run(
    published: Published, tmp_path: Path, name: str
) -> None:
    proof = tmp_path / "proof"
    published.infos[3]["200"]["arch_config"] = Malice(proof)
    refusal(LAYOUTS[name](published, tmp_path))
    assert not proof.exists()
    pickle.loads(pickle.dumps(Malice(proof)))
    assert proof.exists(), "this test would not notice a command that was run"
