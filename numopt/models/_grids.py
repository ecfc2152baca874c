"""Values of the nonlinear parameters to begin a search with, that follow the points x; x is sorted."""

import numpy as np


def steps(s, count):
    """``count`` numbers from -s to s, and all their combinations, (K, q), for two and more."""
    line = np.linspace(-s, s, 5)
    if count > 2:
        line = line[::2]
    return np.stack(np.meshgrid(*[line] * count, indexing="ij"), axis=-1).reshape(-1, count)


def places_and_widths(x):
    """(center, width): the widths of k neighbours around each k / 2-th of the points, and some from beyond the ends."""
    x = np.unique(x)
    m = x.size
    if m == 1:
        return np.array([[x[0], abs(x[0]) or 1.0]])
    found, k = [], 0.5
    while k < m:
        at = np.arange(0, m, max(1, int(k / 2)))
        low, high = (np.clip(at + side, 0, m - 1) for side in (-max(1, int(k)), max(1, int(k))))
        width = (x[high] - x[low]) * (k / (high - low))
        found.append(np.column_stack([x[at], width]))
        k = 1.0 if k == 0.5 else max(k + 1.0, 1.6 * k)
    span = x[-1] - x[0]
    for width in (0.25 * span, 0.5 * span, span):
        found.append([[x[0] - width, width], [x[-1] + width, width], [x[m // 2], width]])
    return np.concatenate(found)


def places_and_widths_2d(x):
    """(center_x, center_y, sigma_x, sigma_y, angle = 0), at some of the points.

    The widths differ, as the angle of a round spot moves nothing and would stay where it is.
    """
    some = x if x.shape[1] <= 200 else x[:, np.random.default_rng(0).permutation(x.shape[1])[:200]]
    span = np.ptp(x, axis=1)
    span[span == 0.0] = 1.0
    one = np.ones(some.shape[1])
    found = [np.column_stack([*some, 1.1 * w * span[0] * one, 0.9 * w * span[1] * one, 0.0 * one])
             for w in (0.02, 0.04, 0.08, 0.16, 0.3, 0.6)]  # fmt: skip
    return np.concatenate(found)


def rates(x, count):
    """Of exponentials that fall noticeably over all x, to those that have fallen at the second."""
    x = np.unique(x)
    if x.size == 1:
        return np.array([1.0 / (abs(x[0]) or 1.0)])
    return np.geomspace(0.03 / (x[-1] - x[0]), 4.0 / (x[1] - x[0]), count)


def halves(x):
    """Where a curve that rises from zero may have reached half its height."""
    x = np.unique(x[x > 0.0])
    if x.size == 0:
        return np.ones(1)
    some = x[np.linspace(0, x.size - 1, min(x.size, 12)).astype(int)]
    return np.concatenate([x[0] * np.array([0.05, 0.2, 0.5]), some, x[-1] * np.array([1.5, 3.0, 8.0, 20.0])])


def frequencies(x, y):
    """The peaks of the periodogram of points at any places, and some that do not come to one period."""
    span, m = np.ptp(x), y.size
    if span == 0.0:
        return np.ones(1)
    cells = 2 ** int(np.ceil(np.log2(8 * m)))
    at = np.minimum(((x - x.min()) / span * cells / 4).astype(int), cells - 1)
    # a quarter of the cells is filled: four frequencies for each period over all x
    power = np.abs(np.fft.rfft(np.bincount(at, y - y.mean(), cells)))[1 : 4 * m]
    peak = np.flatnonzero((power >= np.r_[-np.inf, power[:-1]]) & (power >= np.r_[power[1:], -np.inf]))
    peak = peak[np.argsort(-power[peak])[:12]] + 1
    near = (peak[:, None] + np.linspace(-0.8, 0.8, 5)).ravel()
    return np.concatenate([near, [0.1, 0.3, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 3.5]]) / (4.0 * span)
