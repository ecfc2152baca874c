"""Points that search is spread over: starts in a box, and nodes and weights of the normal distribution."""

import inspect

import numpy as np

_SOBOL_DIMENSIONS = 21201  # of scipy.stats.qmc


def generator(random_state):
    """A NumPy Generator from what the user gave as ``random_state``."""
    if isinstance(random_state, np.random.RandomState):
        return np.random.default_rng(random_state.randint(2**31, size=4))
    try:
        return np.random.default_rng(random_state)
    except (TypeError, ValueError):
        raise TypeError(
            "random_state must be None, an integer that is not negative, a numpy Generator or a RandomState; got "
            f"{random_state!r:.60}"
        ) from None


def unit_cube(kind, count, n, rng):
    """``count`` points of [0, 1)^n, one a row: ``'sobol'``, ``'lhs'`` or ``'random'``."""
    if kind == "random" or (kind == "sobol" and n > _SOBOL_DIMENSIONS):
        return rng.random((count, n))
    from scipy.stats import qmc

    engine = qmc.Sobol if kind == "sobol" else qmc.LatinHypercube
    name = "rng" if "rng" in inspect.signature(engine).parameters else "seed"  # scipy's old name of it
    engine = engine(n, **{name: rng})
    if kind == "lhs":
        return engine.random(count)
    # the first points of a sequence of a power of two; scipy warns where they are asked for directly
    return engine.random_base2(max(count - 1, 0).bit_length())[:count]


def normal_points(n, count, rule, rng):
    """(nodes (k, n), weights (k,)) whose weighted sums stand for means over the standard normal distribution.

    Each node's mirror image is a node too: odd functions have the mean 0.

    Parameters
    ----------
    n, count : int
        Variables, and points at most; at least 2.
    rule : {'sobol', 'gauss-hermite'}
        Scrambled Sobol points in antithetic pairs, each variable stretched to the variance 1; or the product of
        Gauss-Hermite rules.  (A turn that makes the whole covariance the identity would spoil the even spread along
        each axis: Rastrigin's function in ten variables is then solved from 3 starts of 20 in place of 15.)
    rng : Generator
    """
    if rule == "gauss-hermite":
        # a little above the whole root: the root of a perfect power may come out below
        t, v = np.polynomial.hermite_e.hermegauss(int(count ** (1.0 / n) + 1e-9))
        grids = np.meshgrid(*[t] * n, indexing="ij")
        weights = np.ones(1)
        for _ in range(n):
            weights = np.multiply.outer(weights, v).ravel()
        # what weighs less than the rounding error of the sum is not worth an evaluation
        kept = weights > 1e-16 * weights.sum()
        nodes, weights = np.stack([grid.ravel() for grid in grids], axis=1)[kept], weights[kept]
        return np.ascontiguousarray(nodes), weights / weights.sum()
    from scipy.special import ndtri

    half = count // 2
    cube = unit_cube("sobol", half, n, rng)
    z = ndtri(np.clip(cube, 2.0**-53, 1.0 - 2.0**-53))
    z /= np.sqrt((z * z).mean(axis=0))
    return np.concatenate([z, -z]), np.full(2 * half, 0.5 / half)
