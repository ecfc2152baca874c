"""What residuals leave undetermined: the null space of a Jacobian, said in words."""

import numpy as np

DEPENDENT = 1e-13  # singular values of columns of norm 1: what is below is rounding
NOISY = {2: 1e-7, 3: 1e-9}  # the same where the columns are made of differences, which lose digits
_TERMS, _SHOWN = 6, 4
_PIVOT = 1e-2  # share of the largest: less, and rounding would be made large


def undetermined(R, names, threshold=DEPENDENT):
    """The combinations of variables that a Jacobian says nothing about.

    Parameters
    ----------
    R : ndarray (k, n)
        The Jacobian, or the triangle of its QR factorisation.
    names : sequence of str
    threshold : float
        Singular values up to this, with columns scaled to norm 1, count as zero.

    Returns
    -------
    list of str
        One for each; empty where all is determined.

    Examples
    --------
    >>> import numpy as np
    >>> undetermined(np.array([[1.0, 1.0, 0.0], [2.0, 2.0, 1.0]]), ["a", "b", "c"])
    ['a - b']
    """
    R = np.asarray(R, float)
    top = np.abs(R).max(axis=0, initial=0.0)
    if not np.isfinite(top).all():
        return []
    good = np.flatnonzero(top > 0.0)
    found = [names[j] for j in np.flatnonzero(top == 0.0)]
    if good.size:
        columns = R[:, good] / top[good]  # first, so that no square underflows
        norms = np.sqrt((columns * columns).sum(axis=0))
        _, sizes, rows = np.linalg.svd(columns / norms)
        null = rows[(sizes > threshold).sum() :]
        # in units of the residuals: what the scaled columns multiply is norm_j x_j
        weights = norms * top[good]
        found += [_said(v * weights, v, [names[j] for j in good]) for v in _reduced(null)]
    return found


def _reduced(null):
    """The basis of the same space with a variable of its own in each, from the first on, so that each can be read."""
    null = null.copy()
    for i in range(len(null)):
        largest = np.abs(null[i:]).max(axis=0)
        j = int((largest > _PIVOT * largest.max()).argmax())
        k = i + int(np.abs(null[i:, j]).argmax())
        row = null[k] / null[k, j]
        null[k] = null[i]
        null -= null[:, j, None] * row
        null[i] = row
    return null


def _said(factors, shares, names):
    """A combination in words; what has next to no share in it is left out."""
    least = 1e-6 * np.abs(shares).max()
    shown = [
        (name, a) for name, a, share in zip(names, factors.tolist(), shares.tolist(), strict=True) if abs(share) > least
    ]
    text = ""
    for name, a in shown[:_TERMS]:
        a /= shown[0][1]
        size = f"{abs(a):.4g}"
        sign = ("-" if a < 0 else "") if not text else " - " if a < 0 else " + "
        text += sign + ("" if size == "1" else size + "*") + name
    return text + (" + ..." if len(shown) > _TERMS else "")


def listed(found):
    """What :func:`undetermined` found, as a part of a sentence."""
    more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
    return "; ".join(found[:_SHOWN]) + more


def rank_warning(found):
    """The text of a warning about what :func:`undetermined` found."""
    return f"the residuals do not determine {listed(found)} (columns of the Jacobian are dependent, to rounding)"
