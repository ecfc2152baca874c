r"""Projections onto sets: the point of the set that is nearest to v.

The sets are those of the projected gradient method:

* a box, l <= p <= u;
* a box cut by one linear constraint, b1 <= a'p <= b2: the unit simplex (a of ones, b = 1, l = 0), the capped one, a
  budget.  p = clip(v + lam a) with the root lam of the monotone, piecewise linear a'clip(v + lam a) - b, found by
  Newton's method within a bracket (Dai & Fletcher 2006): it ends on the right piece, so exactly;
* a ball, abs(p - a) <= r.

References
----------
Y.-H. Dai and R. Fletcher, New algorithms for singly linearly constrained quadratic programs subject to lower and upper
bounds, Math. Program. 106 (2006), 403-421.
"""

from numopt.kernels.compiling import kernel

_INF = float("inf")
_STEPS = 200  # each either halves the bracket or lands on a piece for good


@kernel
def project_box(v, lower, upper, p):
    """p = the projection of v."""
    for i in range(v.size):
        p[i] = min(max(v[i], lower[i]), upper[i])


@kernel
def _clipped(v, lam, a, lower, upper, p):
    """p = clip(v + lam a); (a'p, the sum of squares of a over what is not clipped)."""
    s, free = 0.0, 0.0
    for i in range(v.size):
        q = v[i] + lam * a[i]
        if q <= lower[i]:
            p[i] = lower[i]
        elif q >= upper[i]:
            p[i] = upper[i]
        else:
            p[i] = q
            free += a[i] * a[i]
        s += a[i] * p[i]
    return s, free


@kernel
def _extreme(a, lower, upper, sign):
    """The largest (sign 1) or least (sign -1) of a'p over the box."""
    s = 0.0
    for i in range(a.size):
        if a[i] != 0.0:
            s += a[i] * (upper[i] if sign * a[i] > 0.0 else lower[i])
    return s


@kernel
def project_cut_box(v, a, b1, b2, lower, upper, p):
    """p = the projection of v onto the cut box; (lam, whether the set is not empty)."""
    s, free = _clipped(v, 0.0, a, lower, upper, p)
    if b1 <= s <= b2:
        return 0.0, True
    b = b1 if s < b1 else b2
    sign = 1.0 if s < b else -1.0
    most = _extreme(a, lower, upper, sign)
    if sign * (most - b) < -1e-12 * max(1.0, abs(b)):
        return 0.0, False
    # lam in (low, high): a'p - b has the sign of -sign at low
    low, high, lam = 0.0, _INF, 0.0
    step = 0.0
    for i in range(v.size):
        step = max(step, abs(a[i]))
    step = sign * max(abs(b - s) / max(free, step * step), 1e-300)
    for _ in range(_STEPS):
        if s == b:
            break
        if sign * (s - b) < 0.0:
            low = lam
        else:
            high = lam
        new = lam - (s - b) / free
        if not (free > 0.0 and sign * new > sign * low and (high == _INF or sign * new < sign * high)):
            if high == _INF:
                new = lam + step
                step *= 2.0
            else:
                new = 0.5 * (low + high)
        if new == lam or not abs(new) < _INF:
            break
        lam = new
        s, free = _clipped(v, lam, a, lower, upper, p)
        if abs(s - b) <= 1e-15 * max(1.0, abs(b)):
            break
    return lam, True


@kernel
def project_ball(v, centre, radius, p):
    """p = the projection of v; mu >= 0 with v - p = mu (p - centre)."""
    s = 0.0
    for i in range(v.size):
        s += (v[i] - centre[i]) * (v[i] - centre[i])
    norm = s**0.5
    if norm <= radius:
        for i in range(v.size):
            p[i] = v[i]
        return 0.0
    for i in range(v.size):
        p[i] = centre[i] + radius / norm * (v[i] - centre[i])
    return norm / radius - 1.0 if radius > 0.0 else 0.0
