"""Architectures that are drawn: some to learn from, others to see how well evaluators order them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cleave.errors import UserError, shown
from cleave.evolve.bench import ACCURACY, Bench
from cleave.evolve.question import FEWEST
from cleave.run.reading import Shape, read_json
from cleave.space import Arch
from cleave.space.sample import distinct


@dataclass(frozen=True)
class Samples:
    """Architectures with their accuracies, in percent."""

    archs: Sequence[Arch]
    accuracies: Sequence[float]


NONE = Samples((), ())


class Answer(Shape):
    """What of an earlier answer is read: what its samples are of, and their accuracies, by architecture."""

    of: dict[str, Any]
    samples: dict[str, float]


def drawn(bench: Bench, learns: bool) -> tuple[list[Arch], list[Arch]]:
    """(to compare by, to learn from): different architectures within the limits; UserError where there are too few to
    learn from, or to see what was learned."""
    question = bench.question
    count = question.check + (question.sampled if learns else 0)
    archs = distinct(bench.space, bench.region, count, bench.chance.generator("samples"))
    least = FEWEST * (2 if count > question.check else 1)
    if learns and len(archs) < least:
        raise UserError(
            f"leaf {bench.leaf.label}: has {len(archs)} architectures within the limits, too few for a predictor; "
            "give --by accuracy, or allow more"
        )
    check = min(question.check, len(archs) // 2 if count > question.check else len(archs))
    return archs[:check], archs[check:]


def measured(bench: Bench, archs: Sequence[Arch]) -> Samples:
    """What is learned from: these architectures, measured on the images that the evolution goes by."""
    return Samples(archs, bench.measured(ACCURACY, archs, "samples", "samples"))


def read_samples(bench: Bench, file: Path, of: dict[str, Any], apart: Sequence[Arch]) -> Samples:
    """Those of an earlier answer but for the ones that are set apart; UserError where they are not of this leaf."""
    found = read_json(file, Answer)
    if other := [key for key in of if found["of"].get(key) != of[key]]:
        key = other[0]
        raise UserError(
            f"--predictor {file}: its samples are of {key} {shown(found['of'].get(key))}, here it is {shown(of[key])}; "
            "leave --predictor out to sample anew"
        )
    known = {text: arch_of(bench, file, text) for text in found["samples"]}
    texts = [text for text in known if known[text] not in apart]
    if len(texts) < FEWEST:
        raise UserError(f"--predictor {file}: holds {len(texts)} samples to learn from; leave it out to sample anew")
    return Samples([known[text] for text in texts], [found["samples"][text] for text in texts])


def arch_of(bench: Bench, file: Path, text: str) -> Arch:
    try:
        arch = bench.space.parse(text)
    except (ValueError, LookupError) as error:
        raise UserError(f"--predictor {file}: {shown(text)} is no architecture of {bench.space.name}") from error
    if arch not in bench.region:
        raise UserError(f"--predictor {file}: architecture {text} lies outside leaf {bench.leaf.label}")
    return arch
