"""What lies in a store, of every kind: put, got, named, removed; and what is wrong is one line."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from cleave.errors import UserError
from cleave.run.store import Store, url_of
from tests.stores import s3_server

KINDS = ("memory", "file", "s3")


@pytest.fixture(scope="session")
def s3() -> Iterator[dict[str, str]]:
    with s3_server() as environment:
        yield environment


@pytest.fixture(params=KINDS)
def store(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """An empty one."""
    if request.param == "s3":
        for name, value in request.getfixturevalue("s3").items():
            monkeypatch.setenv(name, value)
    places = {"memory": f"memory://{tmp_path.name}", "file": f"file://{tmp_path}/store", "s3": f"s3://bucket{tmp_path}"}
    return Store(places[request.param])


def test_what_is_put_is_got_and_named(store: Store, tmp_path: Path) -> None:
    assert store.names() == store.names("a") == []
    (tmp_path / "one").write_bytes(b"1" * 70_000)
    store.put("a/b/one", tmp_path / "one")
    store.write("a/two", b"2")
    assert store.names() == ["a/b/one", "a/two"]
    assert store.names("a/b") == store.names("a/b/one") == ["a/b/one"]
    store.get("a/b/one", tmp_path / "got")
    assert (tmp_path / "got").read_bytes() == b"1" * 70_000
    assert (store.read("a/two"), store.read("a/three")) == (b"2", None)
    store.write("a/two", b"3")
    assert store.read("a/two") == b"3"
    store.remove("a/b")
    store.remove("nothing")
    assert store.names() == ["a/two"]


def test_what_is_there_is_not_created(store: Store) -> None:
    assert store.create("lease/1", b"mine")
    assert not store.create("lease/1", b"yours")
    assert store.read("lease/1") == b"mine"


def test_what_is_not_there_is_one_line(store: Store, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=rf"^{store.url}: cannot be read: .*; see that it is there"):
        store.get("nowhere", tmp_path / "got")


@pytest.mark.parametrize(
    ("place", "url"),
    [
        ("s3://bucket/run", "s3://bucket/run"), (Path("s3://bucket/run"), "s3://bucket/run"), ("/tmp/run", None),
        ("runs/a", None), ("file:///tmp/run/", "file:///tmp/run"), (Path("file:///tmp/run"), "file:///tmp/run"),
        ("C:/run", None), ("memory://a", "memory://a"),
    ],
)  # fmt: skip
def test_a_url_is_known_also_as_a_path(place: str | Path, url: str | None) -> None:
    assert url_of(place) == url


def test_a_kind_of_store_that_nobody_knows_is_named() -> None:
    with pytest.raises(UserError, match=r"^nosuch://a/b: no kind of store that is known; such are s3://"):
        Store("nosuch://a/b")


def test_a_package_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    registry = importlib.import_module("fsspec.registry")
    monkeypatch.delitem(registry._registry, "s3", raising=False)
    monkeypatch.setitem(registry.known_implementations, "s3", {"class": "nowhere.S3", "err": "Install s3fs"})
    with pytest.raises(UserError, match=r"^s3://a/b: Install s3fs; pip install 'cleave-nas\[s3\]'$"):
        Store("s3://a/b")


def test_a_bucket_that_is_not_there_is_one_line(s3: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in s3.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(UserError, match=r"^s3://nobucket/run: cannot be saved: the specified bucket does not exist"):
        Store("s3://nobucket/run").create("lease/1", b"")
