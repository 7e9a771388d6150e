"""A run whose folder is kept the same as a store: found by other machines, wherever and however it was left."""

from __future__ import annotations

import errno
import json
import os
import random
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import cleave
from cleave.errors import UserError
from cleave.run import lease, mirror
from cleave.run.durable import remove_folder, write_bytes, write_folder
from cleave.run.generations import Generations, Record
from cleave.run.lease import Lease, newest_of
from cleave.run.lock import RunLock
from cleave.run.mirror import at_hand, files_in, known_as, manifests_last, mirrored
from cleave.run.store import Store
from tests.run.befalling import TINY, whole_again
from tests.survival.living import Life
from tests.tiny import HERE, Ended, same, search, sets

Capture = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def _forgotten() -> Iterator[None]:
    """Each test is a process of its own that has not looked at a store before."""
    yield
    mirror._mirrors.clear()


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"file://{tmp_path}/store"


def machine(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From now on this is another one."""
    mirror._mirrors.clear()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / name))


def record(number: int) -> Record:
    return Record({}, {"number": number}, {"number": number})


def test_what_is_written_goes_there_and_what_is_removed_goes_too(tmp_path: Path, url: str) -> None:
    folder = mirrored(tmp_path / "run", url).folder
    write_bytes(folder / "a.json", b"1")
    (folder / "leaves").mkdir()
    write_folder(folder / "leaves" / "x", {})
    assert Store(url).names() == ["a.json", "leaves/x/manifest.json"]
    remove_folder(folder / "leaves" / "x")
    assert Store(url).names() == ["a.json"]
    (folder / "lock").touch()
    write_bytes(folder / "parts.json", b"2")
    assert Store(url).names() == ["a.json", "parts.json"]


def test_the_later_checkpoint_is_right(tmp_path: Path, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two machines that go on in turn, and now and then do not reach the store: a random history."""
    heads = {"one": 0, "two": 0}
    last = 0
    for _ in range(30):
        name = random.choice(sorted(heads))
        machine(name, tmp_path, monkeypatch)
        folder = at_hand(url)
        with RunLock(folder):
            pass  # sends what is later here
        generations = Generations(folder / "checkpoints")
        here = 0 if generations.empty else generations.newest(pytest.fail).meta["number"]
        last = max(last, heads[name])
        assert here == last, "the store is behind by what could not be sent, at most"
        if random.random() < 0.3:
            mirror._mirrors.clear()  # what is written now does not get there
        generations.commit(record(here + 1))
        write_bytes(folder / "timing.json", str(here + 1).encode())
        heads[name] = here + 1
        last = max(last, here + 1 if mirror._mirrors else last)
        assert (folder / "timing.json").read_text() == str(here + 1)
        if mirror._mirrors:
            assert Store(url).read("timing.json") == str(here + 1).encode()


def test_a_folder_without_its_manifest_is_none() -> None:
    names = ["b/manifest.json", "b/weights", "a", "a/manifest.json"]
    assert manifests_last(names) == ["a", "b/weights", "a/manifest.json", "b/manifest.json"]


def test_names_that_lead_out_of_the_folder_are_not_fetched(
    tmp_path: Path, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    got = list[str]()
    monkeypatch.setattr(Store, "names", lambda store, below="": ["../evil", "a/../../evil", ".hidden", "a", "lock"])
    monkeypatch.setattr(Store, "get", lambda store, name, file: (got.append(name), file.write_bytes(b"")))
    mirrored(tmp_path / "cache" / "run", url).match(sends=False)
    assert got == ["a"]
    assert [path.name for path in (tmp_path / "cache" / "run").iterdir()] == ["a"]


@pytest.fixture(scope="module")
def images(befalling: Path) -> Path:
    return befalling / "images"


def test_a_search_that_is_killed_goes_on_on_another_machine(
    images: Path, whole: Path, tmp_path: Path, url: str, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    words = ["search", "--data", str(images), "--out", url, *HERE, "--json", *sets(TINY)]
    for number, operation in enumerate((300, 250, 200)):
        cache, mishap = tmp_path / f"cache {number}", {"operation": operation, "does": "killed"}
        life = Life(words, tmp_path, mishap, cache, environment={"XDG_CACHE_HOME": str(cache)}).ended()
        assert life.status == -9, life.err
        words = ["resume", url, *HERE, "--json"]
    machine("last", tmp_path, monkeypatch)
    ended = Ended(words, capsys)
    assert ended.status == 0, ended.err
    assert whole_again(Path(json.loads(ended.out)["run"]), whole)
    assert same(tmp_path / "store", whole)
    assert not list((tmp_path / "store").glob("lease/*"))


def test_workers_send_what_they_write(images: Path, whole: Path, url: str, tmp_path: Path) -> None:
    words = [word for word in search(images, Path("given"), TINY) if word not in HERE]
    words[words.index("--out") + 1] = url
    life = Life([*words, "--workers", "2"], tmp_path).ended()
    assert life.status == 0, life.err
    assert whole_again(tmp_path / "store", whole)
    assert set(files_in(tmp_path / "store")) == {name for name in files_in(whole) if "lock" not in name} | {
        "images.json"
    }


def test_every_command_takes_a_store(
    images: Path, tmp_path: Path, url: str, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    machine("first", tmp_path, monkeypatch)
    assert Ended(["search", "--data", str(images), "--out", url, *HERE, *sets(TINY)], capsys).status == 0
    machine("second", tmp_path, monkeypatch)
    assert Ended(["show", url], capsys).status == 0
    trained = f"file://{tmp_path}/trained"
    words = ["train", url, "training.epochs=1", "training.batch_size=8", "threads=1", "--out", trained, "--json"]
    ended = Ended(words, capsys)
    assert ended.status == 0, ended.err
    assert (tmp_path / "trained" / "leaves" / "network" / "weights.safetensors").is_file()
    machine("third", tmp_path, monkeypatch)
    for command in (["evaluate", trained], ["report", url, "--out", str(tmp_path / "report.html")]):
        ended = Ended(command, capsys)
        assert ended.status == 0, ended.err
    assert cleave.load(url).accuracy >= 0


def after(puts: int, true: Callable[[Store, str, Path], None]) -> Callable[[Store, str, Path], None]:
    """A store that takes no more than so many files."""
    left = puts

    def put(store: Store, name: str, file: Path) -> None:
        nonlocal left
        left -= 1
        with store._reaching("cannot be saved"):
            if left < 0:
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        true(store, name, file)

    return put


def test_what_lies_in_a_folder_is_called_by_its_own_url(url: str, tmp_path: Path) -> None:
    """Such a URL is taken wherever a run's is."""
    folder = at_hand(url)
    assert known_as(folder) == url
    assert known_as(folder / "runs" / "one") == f"{url}/runs/one"
    assert known_as(tmp_path / "elsewhere") == str(tmp_path / "elsewhere")


def test_a_store_that_holds_nothing_is_named_as_it_was_given(url: str, capsys: Capture) -> None:
    for command in ("show", "resume", "rank", "evolve"):
        assert Ended([command, url], capsys).refuses(f"{url}: holds no run; give the URL that --out was given")
    with pytest.raises(UserError, match="holds no run"):
        cleave.load(url)


def test_a_store_that_cannot_be_written_to_is_one_line_and_the_run_goes_on_once_it_can(
    images: Path, whole: Path, tmp_path: Path, url: str, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    words = ["search", "--data", str(images), "--out", url, *HERE, "--json", *sets(TINY)]
    for puts in (0, 60, 100):
        with monkeypatch.context() as patched:
            patched.setattr(Store, "put", after(puts, Store.put))
            assert Ended(words, capsys).refuses(url, "cannot be saved: permission denied", "cleave resume")
        mirror._mirrors.clear()
        words = ["resume", url, *HERE, "--json"]
    assert Ended(words, capsys).status == 0
    assert whole_again(tmp_path / "store", whole)


def test_one_machine_at_a_time(tmp_path: Path, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lease, "BEAT_SECONDS", 0.05)
    monkeypatch.setattr(lease, "LOOK_SECONDS", 0.02)
    monkeypatch.setattr(lease, "GONE_SECONDS", 5.0)
    store = Store(url)
    with Lease(store):
        with pytest.raises(UserError, match=rf"^{url}: in use by process \d+ on .*: wait until it ends"):
            Lease(Store(url)).__enter__()
        monkeypatch.setattr("socket.gethostname", lambda: "elsewhere")
        with pytest.raises(UserError, match="in use by process"):
            Lease(Store(url)).__enter__()
    assert newest_of(store) == 0


def test_who_is_gone_is_succeeded_and_told_if_it_is_not(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lease, "BEAT_SECONDS", 0.05)
    monkeypatch.setattr(lease, "LOOK_SECONDS", 0.02)
    monkeypatch.setattr(lease, "GONE_SECONDS", 0.3)
    first = Lease(Store(url))
    with first:
        first.check()
        first.ended.set()  # it hangs
        first.thread.join()
        monkeypatch.setattr("socket.gethostname", lambda: "elsewhere")
        with Lease(Store(url)):
            first.ended.clear()
            first._beat()
            with pytest.raises(UserError, match="another process took it"):
                first.check()
    assert Store(url).names() == []


def test_of_several_that_find_a_store_free_one_has_it(url: str) -> None:
    together, taken, refused = threading.Barrier(8), list[Lease](), list[str]()

    def take() -> None:
        together.wait()
        try:
            taken.append(Lease(Store(url)).__enter__())
        except UserError as error:
            refused.append(str(error))

    threads = [threading.Thread(target=take) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(taken), len(refused)) == (1, 7)
    taken[0].__exit__()


def test_a_run_in_use_elsewhere_is_refused_before_anything_is_touched(
    images: Path, tmp_path: Path, url: str, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    machine("first", tmp_path, monkeypatch)
    with RunLock(at_hand(url)):
        machine("second", tmp_path, monkeypatch)
        words = ["search", "--data", str(images), "--out", url, *HERE, "--json", *sets(TINY)]
        assert Ended(words, capsys).refuses(url, "in use by process")
    assert not (tmp_path / "store" / "checkpoints").exists()
