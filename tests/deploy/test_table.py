"""A latency table is of a device and of networks, and says so where it is asked for others."""

from __future__ import annotations

import json
import pickle
import re
from dataclasses import replace
from pathlib import Path

import pytest

from cleave.deploy.correction import Correction
from cleave.deploy.table import FOREIGN, LatencyTable, open_table, read_table
from cleave.describe import sized
from cleave.errors import UserError
from cleave.net.cost import costs
from cleave.net.sized import Sized
from cleave.net.units import Unit
from cleave.space import NetworkSize, find_space
from cleave.space.darts import DartsSpaceSettings
from tests.deploy.made import SMALL, binding, by_work, small, write_latencies
from tests.space.test_mobilenet import GM

PIXEL = Path("data", "mobilenet", "proxyless_pixel1_latency_lut.json")


def test_what_is_written_is_read(tmp_path: Path) -> None:
    file = write_latencies(tmp_path / "table.json", SMALL, call=0.25)
    table = pickle.loads(pickle.dumps(open_table(str(file))))
    table.check_for(SMALL)
    unit = Unit("stem.op", (3, 8, 8), (2, 8, 8), 58, 3456)
    assert (table.base, table.of(unit)) == (0.25, by_work(unit))
    with pytest.raises(UserError, match=re.escape(f"{file}: has no time of stem.op 3x8x8 -> 4x8x8; measure the whole")):
        table.of(unit._replace(output=(4, 8, 8)))


def test_a_correction_is_of_the_sum() -> None:
    """Whatever a network is put together from."""
    units = [Unit("a", (1,), (1,), 0, work) for work in (1_000_000, 3_000_000)]
    correction = Correction(kind="slope", constant=0.5, slope=1.25)
    table = LatencyTable("file", binding(SMALL), {unit: by_work(unit) for unit in units}, 0.125, correction)
    assert table.base + sum(map(table.of, units)) == pytest.approx(correction.of(0.125 + 4))


@pytest.mark.parametrize(
    ("of", "words"),
    [
        ({"device": "Pixel 1"}, "is of Pixel 1, and here is"),
        ({"versions": {"torch": "1.0"}}, "was measured with torch 1.0, and here is"),
        ({"versions": {"onnxruntime-of-mine": "1.0"}}, "was measured with onnxruntime-of-mine 1.0, and here is none"),
    ],
)
def test_a_table_of_another_machine_is_refused_unless_it_is_asked_for(
    of: dict[str, object], words: str, tmp_path: Path
) -> None:
    file = write_latencies(tmp_path / "table.json", SMALL, **of)
    with pytest.raises(UserError, match=rf"table\.json: {words}.*allow it by foreign:.*table\.json"):
        open_table(str(file))
    open_table(f"{FOREIGN}{file}").check_for(SMALL)
    open_table(str(file), here=False)


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        (replace(SMALL, space=find_space("darts")), "is of space nasbench201, and darts is asked for"),
        (replace(SMALL, size=NetworkSize(4, 1)), "is of space.channels 2, and 4 is asked for"),
        (replace(SMALL, image=(3, 16, 16)), "is of resolution 8, and 16 is asked for"),
        (replace(SMALL, image=(1, 8, 8)), "is of image_channels 3, and 1 is asked for"),
        (replace(SMALL, classes=10), "is of classes 2, and 10 is asked for"),
    ],
)
def test_a_table_of_other_networks_is_refused_and_what_measures_these_is_told(
    asked: Sized, words: str, tmp_path: Path
) -> None:
    file = write_latencies(tmp_path / "table.json", SMALL)
    with pytest.raises(UserError, match=re.escape(words)) as refused:
        read_table(file).check_for(asked)
    space, *told = str(refused.value).partition("cleave measure ")[2].split()
    settings = [word for word in told if "=" in word]
    side = told[told.index("--resolution") + 1]
    if space == asked.space.name != "darts":  # of which the size here is none
        again = sized({"space": {"name": space}}, [*settings, f"image_size={side}"])
        assert (again.size, again.image, again.classes) == (asked.size, asked.image, asked.classes)


def test_a_key_that_changes_no_network_is_not_compared(tmp_path: Path) -> None:
    asked = small(find_space("darts"))
    file = write_latencies(tmp_path / "table.json", asked)
    other = replace(asked, size=DartsSpaceSettings(derivation="released", split_cells="normal"))
    read_table(file).check_for(other)
    with pytest.raises(UserError, match=r"is of space\.stem cifar, and imagenet"):
        read_table(file).check_for(replace(asked, size=DartsSpaceSettings(stem="imagenet")))


def test_files_that_are_no_tables_are_named(tmp_path: Path) -> None:
    file = tmp_path / "table.json"
    for content, words in (
        ("{}", "is no latency table; see cleave measure"),
        ('{"of": {}, "repeats": {}}', "is a measurement that was interrupted"),
        ("[1", "is not JSON"),
        ('{"columns": [], "rows": 3}', "rows: "),
    ):
        file.write_text(content)
        with pytest.raises(UserError, match=words):
            read_table(file)
    with pytest.raises(UserError, match=r"absent\.json: cannot be read"):
        read_table(tmp_path / "absent.json")
    told = json.loads(write_latencies(file, SMALL).read_text())
    told["units"][0]["milliseconds"] = "fast"
    file.write_text(json.dumps(told))
    with pytest.raises(UserError, match=r"table\.json: units\.0\.milliseconds"):
        read_table(file)


def test_the_published_table_gives_the_published_figures(shared: Path) -> None:
    table = open_table(f"{FOREIGN}{shared / PIXEL}")
    asked = sized({"space": {"name": "mobilenet-proxyless"}})
    table.check_for(asked)
    space = asked.space
    known = costs(space, asked.size, asked.image, asked.classes, latency=table)
    for text, milliseconds in ((GM, 160.73), *((" ".join([op] * 21), figure) for op, figure in ALIKE.items())):
        assert known.of(space.parse(text)).milliseconds == pytest.approx(milliseconds, abs=0.005)
    least, most = known.extremes(space.parts(space.region), "milliseconds")
    assert (least, most) == (pytest.approx(29.61, abs=0.005), pytest.approx(191.03, abs=0.005))
    assert known.of(space.parse(GM)).multiply_adds == 529_670_912


ALIKE = {"7x7_e6": 191.03, "3x3_e6": 136.47, "3x3_e3": 76.05}


def test_the_published_table_is_of_a_pixel_and_lacks_nothing_silently(shared: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is of Pixel 1, and here is"):
        open_table(str(shared / PIXEL))
    told = json.loads((shared / PIXEL).read_text())
    del told["rows"][3]
    (tmp_path / "less.json").write_text(json.dumps(told))
    asked = sized({"space": {"name": "mobilenet-proxyless"}})
    with pytest.raises(UserError, match=r"less\.json: has no time of 3x3_e3 16x112x112 -> 24x56x56"):
        costs(asked.space, asked.size, asked.image, asked.classes, latency=read_table(tmp_path / "less.json"))
