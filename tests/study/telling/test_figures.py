"""Figures: that they show what the log has, say of how many, and are left out where it lacks what they need."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import matplotlib
import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.stats import kendalltau

from cleave.errors import UserError
from cleave.space.layout import Layout
from cleave.study.analysis.interference import interference
from cleave.study.record.log import Log, Numbers, all_children, join, read_log
from cleave.study.record.truth import Truth, read_truth
from cleave.study.telling.figures import FIGURES, Drawings, Drawn, Lacking, Subject, draw, save
from cleave.study.telling.figures.drawing import LINES, evenly, number_of, styled, svg
from tests.fresh import fresh
from tests.study.made import log_of, made_log, shuffled_rows, some_accuracies, some_children


def made_truth(children: int) -> Truth:
    values = fresh()
    return Truth("truth.csv", values.uniform(60, 90, size=children), values.uniform(0.1, 1, size=children), 5)


def whole(children: int = 8, space: str = "cells64") -> Subject:
    """A study that lacks nothing."""
    log = made_log(
        some_children(children, space), children + 5, 3, epochs=4, statistics=("tracked", "recalibrated"),
        tuned=(1, 2, 5), space=space,
    )  # fmt: skip
    return Subject(log, made_truth(children))


def drawn(name: str, subject: Subject) -> Drawn:
    with styled():
        return FIGURES[name](subject)


def line(panel: Axes, label: str) -> tuple[Numbers, Numbers]:
    """A line's data, by its name in the legend."""
    found = next(line for line in panel.get_lines() if line.get_label() == label)
    return np.asarray(found.get_xdata(), dtype=float), np.asarray(found.get_ydata(), dtype=float)


def test_a_study_that_lacks_nothing_has_every_figure_with_a_sentence_on_it() -> None:
    found = draw(whole(space="nasbench201"))
    assert not found.lacking
    assert list(found.images) == list(found.captions) == list(FIGURES)
    for name, image in found.images.items():
        assert ElementTree.fromstring(image).tag.endswith("svg")
        assert found.captions[name].endswith(".")
        assert ("8 children" in found.captions[name]) != (name == "cell")


def images(subject: Subject) -> list[bytes]:
    """Some of all kinds of figures."""
    names = ("ranks", "tuning", "curves", "correlation")
    with styled():
        return [svg(FIGURES[name](subject).figure) for name in names]


def test_the_same_log_gives_the_same_bytes_in_whatever_order_its_rows_are_and_whatever_the_users_settings(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    children, truth = some_children(5), made_truth(5)
    log = made_log(children, 12, 2, epochs=2, tuned=(1,))
    before = images(Subject(log, truth))
    monkeypatch.setitem(matplotlib.rcParams, "font.size", 30.0)
    monkeypatch.setitem(matplotlib.rcParams, "axes.facecolor", "red")
    assert images(Subject(shuffled_rows(log), truth)) == before
    assert matplotlib.rcParams["font.size"] == 30.0


def test_figures_that_the_log_has_nothing_for_are_left_out_with_a_reason() -> None:
    children = some_children(6)
    without = draw(Subject(log_of(children, some_accuracies(3, 6))))
    assert set(without.images) == {"cell", "curves", "some-curves", "correlation"}
    assert set(without.lacking) == set(FIGURES) - set(without.images)
    assert "--truth" in without.lacking["gt-tau"]
    assert "which child" in without.lacking["interference"]
    assert "not known" in without.captions["curves"]
    epochs = draw(Subject(made_log(children, 0, epochs=3), made_truth(6)))
    assert set(epochs.images) == {"cell", "ranks", "tnr", "epochs"}
    assert "tune.epochs" in epochs.lacking["tuning"]


def test_one_look_at_two_children_is_drawn_as_far_as_it_goes() -> None:
    found = draw(Subject(log_of(("111", "444"), np.array([[50.0, 50.0]]), trained=["111"]), made_truth(2)))
    assert set(found.images) == {"cell", "curves", "some-curves", "gt-tau"}


def test_files_are_named_after_their_figures(tmp_path: Path) -> None:
    found = Drawings({"ranks": b"<svg/>", "cell": b"<svg></svg>"}, {}, {})
    paths = save(found, tmp_path / "new" / "figures")
    assert {name: path.read_bytes() for name, path in paths.items()} == found.images
    assert {path.name for path in paths.values()} == {"ranks.svg", "cell.svg"}
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot be saved"):
        save(found, tmp_path / "file" / "figures")


def test_the_cell_shows_every_node_and_choice() -> None:
    subject = whole(space="nasbench201")
    figure = drawn("cell", subject).figure
    shown = {text.get_text() for text in figure.axes[0].texts}
    assert {choice.name for choice in subject.log.space.choices} <= shown
    assert {"0", "1", "2", "3", "input", "to the output"} <= shown
    assert figure.get_supxlabel().endswith("none, skip_connect, nor_conv_1x1, nor_conv_3x3, avg_pool_3x3")


def test_a_space_without_cells_has_no_cell(monkeypatch: pytest.MonkeyPatch) -> None:
    log = whole().log
    monkeypatch.setattr(type(log.space), "layout", lambda *_: Layout((), 1))
    with pytest.raises(Lacking, match="cells"):
        drawn("cell", Subject(log))


def test_s_tau_by_epoch_is_the_mean_over_pairs_of_instances() -> None:
    children = some_children(9)
    one, other = made_log(children, 0, 4, epochs=5), made_log(children, 0, 2, epochs=3)
    panel = drawn("s-tau", Subject(one, beside={"orders": other})).figure.axes[0]
    for log, name, count in ((one, "this study", 4), (other, "orders", 2)):
        epochs, values = line(panel, f"{name} ({count} instances)")
        each = [log.looks(instance, dense=False).accuracy for instance in range(count)]
        expected = [
            np.mean([kendalltau(each[a][e], each[b][e]).statistic for a in range(count) for b in range(a)])
            for e in range(len(epochs))
        ]
        assert epochs.tolist() == list(range(1, 1 + len(each[0])))
        np.testing.assert_allclose(values, expected, atol=1e-9)


def test_only_epochs_at_which_all_instances_were_looked_at_count() -> None:
    children = some_children(7)
    first = log_of(children, some_accuracies(3, 7), steps=[10, 20, 30], dense=False)
    second = log_of(children, some_accuracies(3, 7), steps=[20, 30, 40], dense=False, instance=1)
    figure = drawn("s-tau", Subject(join([first, second], "made", first.meta))).figure
    assert line(figure.axes[0], "this study (2 instances)")[0].tolist() == [2, 3]
    with pytest.raises(Lacking, match="two or more instances"):
        drawn("s-tau", Subject(first))


def test_gt_tau_is_drawn_by_look_and_cycle_for_each_kind_of_statistics() -> None:
    subject = whole(6)
    panel = drawn("gt-tau", subject).figure.axes[0]
    for kind in ("tracked", "recalibrated"):
        accuracy = subject.log.looks(0, dense=True, statistics=kind).accuracy
        expected = [kendalltau(row, subject.true.mean).statistic for row in accuracy]
        np.testing.assert_allclose(line(panel, f"{kind} statistics")[1], expected, atol=1e-9)
        cycles = [kendalltau(np.round(accuracy[i : i + 6].mean(axis=0), 9), subject.true.mean) for i in range(6)]
        found = line(panel, f"{kind}, cycle average")
        np.testing.assert_allclose(found[1], [tau.statistic for tau in cycles], atol=1e-9)
        assert found[0][-1] == len(accuracy)


def test_curves_are_the_childrens_with_diamonds_where_they_were_trained() -> None:
    subject = whole(5)
    looks = subject.log.looks(0, dense=True)
    lines = drawn("curves", subject).figure.axes[0].get_lines()
    curves = {tuple(line.get_ydata()) for line in lines if line.get_marker() != "D"}
    assert curves == {tuple(column) for column in looks.accuracy.T}
    marks = {(x, y) for line in lines if line.get_marker() == "D" for x, y in zip(*line.get_data(), strict=True)}
    places = [looks.children.index(child) for child in looks.trained if child]
    assert marks == {(looks.steps[look], looks.accuracy[look, place]) for look, place in enumerate(places)}


def test_the_best_median_and_worst_child_are_chosen_by_the_truth() -> None:
    subject = whole(7)
    by_truth = np.argsort(-subject.true.mean)
    accuracy = subject.log.looks(0, dense=True).accuracy
    panel = drawn("some-curves", subject).figure.axes[0]
    for name, place in (("best", 0), ("median", 3), ("worst", 6)):
        assert line(panel, name)[1].tolist() == accuracy[:, by_truth[place]].tolist()


def test_interference_is_drawn_for_each_kind_of_statistics() -> None:
    subject = whole(9)
    figure = drawn("interference", subject).figure
    for panel, part in zip(figure.axes, ("since", "shared"), strict=True):
        for kind, dots in zip(("tracked", "recalibrated"), panel.containers, strict=True):
            found = interference(subject.log, subject.seed, kind)
            assert found is not None
            shown = np.asarray(dots.lines[0].get_ydata(), dtype=float)
            assert shown.tolist() == [row["value"] for row in found[part] if row["low"] is not None]


def test_boxes_stand_at_true_ranks_and_hold_the_ranks_of_all_instances() -> None:
    children, truth = some_children(4), Truth("truth", np.array([70.0, 90.0, 60.0, 80.0]))
    scores = [[1.0, 2, 3, 4], [1, 2, 3, 4], [4, 3, 2, 1]]
    logs = [log_of(children, np.array([row]), instance=number) for number, row in enumerate(scores)]
    found = drawn("ranks", Subject(join(logs, "made", logs[0].meta), truth))
    medians = [line for line in found.figure.axes[0].lines if line.get_color() == LINES[1]]
    shown = {round(np.mean(line.get_xdata())): np.mean(line.get_ydata()) for line in medians}
    assert shown == pytest.approx({1: 3.0, 2: 1.0, 3: 4.0, 4: 2.0})
    assert "3 instances" in found.caption


def test_tuning_begins_with_the_snapshot_and_has_a_row_of_panels_for_each() -> None:
    children = some_children(5)
    parts, truth = [], made_truth(5)
    for epoch, tuned in ((2, 0), (2, 1), (2, 4), (4, 0), (4, 1)):
        parts.append(log_of(children, some_accuracies(1, 5), steps=[10 * epoch - 1], dense=False, tuned=tuned))
    figure = drawn("tuning", Subject(join(parts, "made", parts[0].meta), truth)).figure
    panels = [panel for panel in figure.axes if panel.get_ylabel() == "GT-Tau"]
    assert [panel.get_title() for panel in panels] == ["from epoch 2", "from epoch 4"]
    for panel, logs in zip(panels, (parts[:3], parts[3:]), strict=True):
        mean = panel.get_lines()[-1]
        expected = [kendalltau(log.rows["accuracy"], truth.mean).statistic for log in logs]
        assert list(mean.get_xdata()) == [int(log.rows["tuned"][0]) for log in logs]
        np.testing.assert_allclose(np.asarray(mean.get_ydata(), dtype=float), expected, atol=1e-9)


def test_captions_say_where_a_figure_is_undefined_or_equals_are_chosen_among() -> None:
    children = some_children(5)
    true, alike = fresh().permutation(5) + 60.0, np.full(5, 10.0)
    truth, rows = Truth("truth", true), np.array([alike, true, alike])
    dense = Subject(log_of(children, rows), truth)
    assert "running statistics 1.000 (defined in 1 of 3 looks)" in drawn("gt-tau", dense).caption
    logs = [log_of(children, rows, steps=[10, 20, 30], dense=False, instance=number) for number in range(2)]
    epochs = Subject(join(logs, "made", logs[0].meta), truth)
    assert "In this study tau is defined in 1 of 3 pairs of rankings." in drawn("s-tau", epochs).caption
    assert "in 4 of 6 looks several share the highest score" in drawn("tnr", epochs).caption
    tuned = [log_of(children, row[np.newaxis], steps=[9], dense=False, tuned=n) for n, row in enumerate(rows)]
    caption = drawn("tuning", Subject(join(tuned, "made", tuned[0].meta), truth)).caption
    assert "GT-Tau is defined in 1 of 3 rankings" in caption


def test_equals_have_the_mean_of_their_ranks_and_stand_side_by_side() -> None:
    children, truth = some_children(4), Truth("truth", np.array([70.0, 90.0, 70.0, 80.0]))
    found = drawn("ranks", Subject(log_of(children, np.array([[1.0, 2, 2, 2], [5, 5, 5, 5]])), truth))
    medians = [line for line in found.figure.axes[0].lines if line.get_color() == LINES[1]]
    shown = {round(np.mean(line.get_xdata())): np.mean(line.get_ydata()) for line in medians}
    assert shown == pytest.approx({1: 2.25, 2: 2.25, 3: 3.25, 4: 2.25})


def test_what_never_varies_is_not_clustered() -> None:
    children = some_children(5)
    with pytest.raises(Lacking, match="nothing varies together: 5 of 5 children"):
        drawn("correlation", Subject(log_of(children, np.full((4, 5), 10.0))))
    accuracy = some_accuracies(9, 5)
    accuracy[:, 3] = 10.0
    caption = drawn("correlation", Subject(log_of(children, accuracy))).caption
    assert "Never vary, and count as uncorrelated: 1." in caption


def test_many_children_are_shown_in_part_and_the_caption_says_so() -> None:
    children = some_children(400, "nasbench201")
    log = made_log(children, 3, space="nasbench201")
    for name in ("curves", "ranks"):
        assert "150 of them" in drawn(name, Subject(log, made_truth(400))).caption


def test_positions_are_spread_evenly_and_hold_both_ends() -> None:
    assert evenly(5, 9) == [0, 1, 2, 3, 4]
    assert evenly(9, 3) == [0, 4, 8]
    assert [evenly(count, 1) for count in (1, 7)] == [[0], [0]]
    for count in (2, 150, 151, 400):
        found = evenly(count, 150)
        assert (found[0], found[-1], len(set(found))) == (0, count - 1, min(count, 150))
        assert max(np.diff(found)) - min(np.diff(found)) <= 1
    assert [number_of(1, "look"), number_of(2, "look"), number_of(3, "child", "children")] == [
        "1 look", "2 looks", "3 children",
    ]  # fmt: skip


def published(shared: Path) -> Subject:
    folder = shared / "data" / "deeper-insights"
    log: Log = read_log(folder / "share_all_acc_last128.csv", folder / "order_one_0.txt")
    assert log.children == all_children(log.space)
    return Subject(log, read_truth(folder / "gt64.csv", log))


def test_the_published_looks_are_drawn_with_their_figures(shared: Path) -> None:
    subject = published(shared)
    assert "running statistics .508 ± .151, .653 ± .010 averaged" in drawn("gt-tau", subject).caption
    assert "best 434, median 341, worst 111" in drawn("some-curves", subject).caption


def test_names_with_a_dollar_are_written_as_they_are() -> None:
    with styled():
        figure = Figure()
        figure.subplots().set_title("children $^_$ and $")
        assert "children $^_$ and $" in svg(figure).decode()
