"""What samplers promise, of small regions by listing them."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Mapping, Sequence

from cleave.space import Arch, Region, Space
from cleave.space.sample import enumerate_valid


def one_change(one: Arch, other: Arch) -> bool:
    """Whether two architectures differ in one choice: its candidate and what hangs on it, or the choice itself."""
    both = one.keys() & other.keys()
    changed = [choice for choice in both if one[choice] != other[choice]]
    gone, came = one.keys() - other.keys(), other.keys() - one.keys()
    return (len(changed) == 1 and not (gone and came)) or (not changed and len(gone) == len(came) == 1)


def reached(space: Space, region: Region) -> int:
    """How many valid architectures a walk reaches from the first one, by trying all pairs."""
    left = enumerate_valid(space, region)
    waiting, count = deque([left.pop(0)]), 1
    while waiting:
        here = waiting.popleft()
        found = [arch for arch in left if one_change(here, arch)]
        left = [arch for arch in left if arch not in found]
        waiting.extend(found)
        count += len(found)
    return count


def chances(space: Space, region: Region, weights: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
    """Of each valid architecture, as its space writes it: in proportion to the product of its candidates' weights."""
    products = {}
    for arch in enumerate_valid(space, region):
        product = 1.0
        for choice, candidate in arch.items():
            product *= weights[choice][candidate]
        products[space.format(arch)] = product
    total = sum(products.values())
    return {text: product / total for text, product in products.items()}


def is_drawn_by(drawn: Sequence[str], expected: Mapping[str, float]) -> bool:
    """Whether draws have these chances; a right one fails once in ten thousand million times for each that is drawn."""
    counts, n = Counter(drawn), len(drawn)
    if not counts.keys() <= expected.keys():
        return False
    allowance = {text: 6.5 * (n * chance * (1 - chance)) ** 0.5 + 6.5 for text, chance in expected.items()}
    return all(abs(counts[text] - n * chance) <= allowance[text] for text, chance in expected.items())


def importance(lengths: Sequence[float], epoch: int, epochs: int) -> list[float]:
    """p = t g / sum(g) + (1 - t) / n."""
    t = epoch / epochs
    return [t * each / sum(lengths) + (1 - t) / len(lengths) for each in lengths]
