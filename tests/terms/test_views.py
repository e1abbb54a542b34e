"""What views keep: lengths, items, order, and padding on the left."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from recpair.data.interactions import Interactions
from recpair.data.vocabulary import Vocabulary
from recpair.terms.contrast import views
from recpair.terms.contrast.correlation import correlated_items

N_ITEMS = 30
NEIGHBOURS = (torch.arange(N_ITEMS).unsqueeze(1) + torch.tensor([10, 20])) % N_ITEMS
NEIGHBOURS[5] = -1  # has none
NEIGHBOURS[6, 1] = -1  # has one

histories = st.integers(1, 8).flatmap(
    lambda width: st.lists(
        st.lists(st.integers(0, N_ITEMS - 1), min_size=0, max_size=width, unique=True), min_size=1, max_size=6
    ).map(lambda rows: torch.tensor([[-1] * (width - len(row)) + row for row in rows]))
)
rates = st.floats(0, 1)


def rows_of(history):
    """Items of each history; asserts that nothing but padding comes before them."""
    out = []
    for row in history.tolist():
        items = [i for i in row if i >= 0]
        assert row == [-1] * (len(row) - len(items)) + items
        out.append(items)
    return out


def pairs(before, after):
    assert before.shape == after.shape
    assert before.dtype == after.dtype
    return zip(rows_of(before), rows_of(after), strict=True)


def quick(test):
    return settings(deadline=None, max_examples=60)(test)


@given(history=histories, rate=rates, seed=st.integers(0, 99))
@quick
def test_crop_keeps_a_run(history, rate, seed):
    torch.manual_seed(seed)
    for items, kept in pairs(history, views.crop(history, rate)):
        assert len(kept) == min(len(items), max(1, int(rate * len(items))))
        assert not kept or items[items.index(kept[0]) :][: len(kept)] == kept


@given(history=histories, rate=st.floats(0, 0.99), seed=st.integers(0, 99))
@quick
def test_mask_leaves_a_share_out_and_keeps_the_order(history, rate, seed):
    torch.manual_seed(seed)
    for items, kept in pairs(history, views.mask(history, rate)):
        assert len(kept) == len(items) - int(rate * len(items))
        assert kept == [i for i in items if i in set(kept)]


@given(history=histories, rate=rates, seed=st.integers(0, 99))
@quick
def test_reorder_shuffles_within_a_run(history, rate, seed):
    torch.manual_seed(seed)
    for items, shuffled in pairs(history, views.reorder(history, rate)):
        assert sorted(items) == sorted(shuffled)
        moved = [place for place, (a, b) in enumerate(zip(items, shuffled, strict=True)) if a != b]
        assert not moved or moved[-1] - moved[0] < int(rate * len(items))


@given(history=histories, rate=rates, seed=st.integers(0, 99))
@quick
def test_insert_puts_neighbours_before_their_items(history, rate, seed):
    torch.manual_seed(seed)
    wide = torch.nn.functional.pad(history, (history.shape[1], 0), value=-1)  # nothing falls off
    for items, longer in pairs(wide, views.insert(wide, rate, NEIGHBOURS)):
        inserted = len(longer) - len(items)
        count = min(len(items), max(1, int(rate * len(items))))
        assert count - (5 in items) <= inserted <= count
        rest = list(longer)
        for item in items:
            if rest[0] != item:
                assert rest.pop(0) in NEIGHBOURS[item].tolist()
            assert rest.pop(0) == item
        assert not rest
    for items, longer in pairs(history, views.insert(history, rate, NEIGHBOURS)):
        assert longer[-1:] == items[-1:]


@given(history=histories, rate=rates, seed=st.integers(0, 99))
@quick
def test_substitute_changes_a_share_by_neighbours(history, rate, seed):
    torch.manual_seed(seed)
    for items, changed in pairs(history, views.substitute(history, rate, NEIGHBOURS)):
        assert len(items) == len(changed)
        different = [(a, b) for a, b in zip(items, changed, strict=True) if a != b]
        assert all(b in NEIGHBOURS[a].tolist() for a, b in different)
        count = min(len(items), max(1, int(rate * len(items))))
        assert count - (5 in items) <= len(different) <= count


@given(history=histories, seed=st.integers(0, 99))
@quick
def test_replace_is_nothing_at_0_and_everything_at_1(history, seed):
    torch.manual_seed(seed)
    assert torch.equal(views.replace(history, 0.0, NEIGHBOURS), history)
    for items, changed in pairs(history, views.replace(history, 1.0, NEIGHBOURS)):
        for a, b in zip(items, changed, strict=True):
            assert b in NEIGHBOURS[a].tolist() if a != 5 else b == 5


def test_replacement_has_its_probability_and_neighbours_are_alike_likely():
    """20,000 draws: 0.2 ± 0.012 is four standard deviations and more."""
    torch.manual_seed(0)
    history = torch.full((2000, 10), 7)
    changed = views.replace(history, 0.2, NEIGHBOURS)
    assert (changed != 7).double().mean().item() == pytest.approx(0.2, abs=0.012)
    assert (changed[changed != 7] == 17).double().mean().item() == pytest.approx(0.5, abs=0.04)


def test_a_run_begins_anywhere_alike():
    torch.manual_seed(0)
    starts = views.crop(torch.arange(6).expand(6000, 6), 0.5)[:, -3]
    assert torch.bincount(starts, minlength=4).double().div(6000).tolist() == pytest.approx([0.25] * 4, abs=0.025)


def test_one_of_draws_alike():
    torch.manual_seed(0)
    history = torch.zeros(6000, 2, dtype=torch.int64)
    out = views.one_of([lambda h: h + 1, lambda h: h + 2, lambda h: h + 3], history)[:, 0]
    assert torch.bincount(out, minlength=4)[1:].double().div(6000).tolist() == pytest.approx([1 / 3] * 3, abs=0.03)


@given(seed=st.integers(0, 50), k=st.integers(1, 6))
@settings(deadline=None, max_examples=20)
def test_correlated_items_against_a_loop(seed, k):
    generator = np.random.default_rng(seed)
    taken = [set(generator.choice(12, generator.integers(1, 6), replace=False).tolist()) for _ in range(8)]
    user = np.concatenate([np.full(len(items), u) for u, items in enumerate(taken)])
    item = np.array([i for items in taken for i in items])
    train = Interactions.from_indices(user, item, np.arange(len(user)), vocabulary=Vocabulary.range(8, 12))
    found = correlated_items(train, k)
    for i in range(12):
        takers = {j: sum(j in items for items in taken) for j in range(12)}
        similarity = {
            j: sum(1 / np.log(1 + len(items)) for items in taken if {i, j} <= items) / np.sqrt(takers[j])
            for j in range(12)
            if j != i and any({i, j} <= items for items in taken)
        }
        near = [j for j in found[i].tolist() if j >= 0]
        assert len(near) == min(k, len(similarity))
        assert [similarity[j] for j in near] == pytest.approx(sorted(similarity.values(), reverse=True)[:k])
