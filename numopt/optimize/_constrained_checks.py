"""What is looked at before a run with constraints, and after one that found no feasible point."""

import copy

import numpy as np

from numopt.constrained_catalog import CONSTRAINED

_BOX, _CUT, _BALL = range(3)  # variants of the projected gradient method
_DEPENDENT = 1e-12  # what is left of a row that others make up, relative to its size


def variant_for(row, parts, bounded):
    """The variant of the method for these constraints; ValueError for what it does not take."""
    if row.equalities_only:
        others = ", ".join(repr(o.name) for o in CONSTRAINED.values() if not (o.equalities_only or o.linear_sets))
        if bounded:
            raise ValueError(f"method {row.name!r} takes no bounds; those that take them and constraints are {others}")
        for part in parts:
            if np.any(part.lower != part.upper):
                raise ValueError(
                    f"method {row.name!r} takes equality constraints only, and {part.label} is an inequality; "
                    f"those that take both are {others}"
                )
    if not row.linear_sets:
        return row.variant
    if not parts:
        return _BOX
    if len(parts) == 1 and parts[0].A is not None and parts[0].rows == 1:
        return _CUT
    if len(parts) == 1 and parts[0].ball and not bounded:
        return _BALL
    others = ", ".join(repr(o.name) for o in CONSTRAINED.values() if not (o.equalities_only or o.linear_sets))
    raise ValueError(
        f"method {row.name!r} takes bounds, bounds and one linear constraint of one row (numopt.Simplex), or one "
        f"numopt.Ball; those that take other constraints are {others}"
    )


def without_redundant(parts, fixed):
    """The constraints without linear equality rows that others make up; (the same list, None) where there are none.

    Returns
    -------
    inner : list of Constraint
    index : ndarray or None
        The place of each row of theirs among all.
    """
    rows = [(part, i) for part in parts if part.A is not None for i in np.flatnonzero(part.equalities()).tolist()]
    if len(rows) < 2:
        return parts, None
    A = np.array([part.A[i] for part, i in rows])
    b = np.array([part.filled("lower")[i] for part, i in rows])
    if fixed is not None:
        free = np.isnan(fixed)
        A, b = A[:, free], b - A[:, ~free] @ fixed[~free]
    drop = {}
    kept: list = []
    for r, (part, i) in enumerate(rows):
        size = np.linalg.norm(A[r])
        if kept:
            share = np.linalg.lstsq(A[kept].T, A[r], rcond=None)[0]
            left, gap = np.linalg.norm(A[r] - share @ A[kept]), abs(b[r] - share @ b[kept])
            scale = 1.0 + abs(b[r]) + np.abs(share) @ np.abs(b[kept])
        else:
            left, gap, scale = size, abs(b[r]), 1.0
        if left <= _DEPENDENT * size and gap <= _DEPENDENT * scale:
            drop.setdefault(id(part), set()).add(i)
        else:
            kept.append(r)
    if not drop:
        return parts, None
    inner, index, first = [], [], 0
    for part in parts:
        keep = [i for i in range(part.rows) if i not in drop.get(id(part), ())]
        index += [first + i for i in keep]
        first += part.rows
        if len(keep) < part.rows:
            lower, upper, kept_rows = (part.filled(side)[keep] for side in ("lower", "upper", "keep"))
            part = copy.copy(part)
            part.A, part.rows, part.lower, part.upper, part.keep = part.A[keep], len(keep), lower, upper, kept_rows
        inner.append(part)
    return [part for part in inner if part.rows], np.array(index, int)


def check_counts(parts, n):
    """ValueError for more equality constraints than variables."""
    count = sum(int(part.equalities().sum()) for part in parts)
    if count > n:
        raise ValueError(
            f"constraints: there are more equality constraints ({count} rows) than variables that are free to "
            f"move ({n})"
        )


def check_kept(parts, x):
    """Whether there are rows that no point may violate; ValueError where x0 does."""
    found = False
    for part in parts:
        if part.keep is not False and part.keep.any():
            found = True
            c = part.first if part.first is not None else part.evaluate(x)
            lower, upper = part.filled("lower"), part.filled("upper")
            bad = part.keep.astype(bool) & ((c < lower) | (c > upper))
            if bad.any():
                i = int(np.flatnonzero(bad)[0])
                where = f" in row {i}" if part.rows > 1 else ""
                raise ValueError(
                    f"{part.label}: with keep_feasible x0 must satisfy it{where}; there it is {c[i]:g}, "
                    f"outside of ({lower[i]:g}, {upper[i]:g})"
                )
    return found


def inconsistent_rows(parts, lower, upper, ctol):
    """Labels of linear rows and bounds that contradict each other; empty where the linear ones have a common point.

    The least total violation is found by linear programming; where it is positive, the rows and bounds with a
    multiplier are a contradiction by Farkas' lemma.
    """
    linear = [part for part in parts if part.A is not None]
    if not linear:
        return []
    from scipy.optimize import linprog

    n = lower.size
    A, rhs, labels = [], [], []
    for part in linear:
        low, high = part.filled("lower"), part.filled("upper")
        for i in range(part.rows):
            label = part.label if part.rows == 1 else f"{part.label}, row {i}"
            for sign, limit in ((-1.0, low[i]), (1.0, high[i])):
                if np.isfinite(limit):
                    A.append(sign * part.A[i])
                    rhs.append(sign * limit)
                    labels.append(label)
    m = len(rhs)
    elastic = np.hstack([np.array(A), -np.eye(m)])
    cost = np.append(np.zeros(n), np.ones(m))
    bounds = [*zip(lower, upper, strict=True), *[(0.0, None)] * m]
    found = linprog(cost, A_ub=elastic, b_ub=rhs, bounds=bounds, method="highs")
    if found.status != 0 or not found.fun > ctol * max(1.0, np.abs(rhs).max()):
        return []
    names = [label for label, y in zip(labels, found.ineqlin.marginals, strict=True) if abs(y) > 1e-9]
    sides = zip(found.lower.marginals[:n].tolist(), found.upper.marginals[:n].tolist(), strict=True)
    names += [f"the bounds of x[{j}]" for j, (a, b) in enumerate(sides) if abs(a) > 1e-9 or abs(b) > 1e-9]
    return list(dict.fromkeys(names))
