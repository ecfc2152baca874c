r"""Line minimisation from values alone: phi(t) = f(x + t d), to a relative tolerance on t.

A minimiser is bracketed by growing steps, each no further than the minimiser of the parabola through the last three
points allows; then Brent's method closes the bracket by parabolas, and by the golden section where these don't shrink
it fast enough.  Where the bounds on x cut the line, no trial lies beyond them: a bracket that would is closed at the
bound, and two probes tell whether the minimiser is the bound itself.  phi(0) is known and not evaluated again.

References
----------
R. P. Brent, Algorithms for Minimization without Derivatives, Prentice-Hall 1973, chapter 5.
W. H. Press et al., Numerical Recipes, 3rd ed., Cambridge 2007, section 10.1 (the bracket).
"""

from numopt.kernels.compiling import kernel
from numopt.kernels.oracle import lower_bounds, upper_bounds
from numopt.kernels.points import clip, value_at
from numopt.kernels.slots import ABORT, BOUNDED, F_LOW, T_LOW
from numopt.kernels.vectors import step_to

_GOLD = 1.618034
_SECTION = 0.3819660  # 1 - 1 / golden ratio
_MAX_JUMP = 110.0
_TINY = 1e-21  # keeps the parabola's denominator from zero
_LEAST_TOL = 1e-11  # absolute tolerance on t, for a minimiser at t = 0
_MAX_BRACKET, _MAX_BRENT = 200, 100
# Where the end of an interval is the lowest point seen: how far inside, relative to the interval, to look for a lower
_PROBES = (0.1, 1e-4)


@kernel
def phi(R, x, d, t, xt):
    """phi(t), in xt its point; keeps the lowest."""
    p = R.p
    step_to(x, t, d, xt)
    clip(R, xt)
    f = value_at(R, xt)
    if f < p[F_LOW]:
        p[F_LOW], p[T_LOW] = f, t
    return f


@kernel
def interval(R, x, d):
    """(least t, greatest t) that the bounds allow; 0 is between them."""
    low, high = float("-inf"), float("inf")
    if R.c[BOUNDED] != 0:
        lb, ub = lower_bounds(R), upper_bounds(R)
        for i in range(x.size):
            if d[i] != 0.0:
                a, b = (lb[i] - x[i]) / d[i], (ub[i] - x[i]) / d[i]
                low, high = max(low, min(a, b)), min(high, max(a, b))
    return min(low, 0.0), max(high, 0.0)


@kernel
def _within(t, low, high):
    return min(max(t, low), high)


@kernel
def _bracket(R, x, d, f0, first, low, high, xt):
    """(a, b, c, phi(b), found): b between a and c, and phi(b) below both, if found."""
    c_, inf = R.c, float("inf")
    a, fa = 0.0, f0
    b = min(first, high) if high > 0.0 else max(-first, low)
    if b == 0.0:
        return a, b, b, f0, False
    fb = phi(R, x, d, b, xt)
    if fa < fb:
        a, b, fa, fb = b, a, fb, fa
    c = _within(b + _GOLD * (b - a), low, high)
    fc = fb if c == b else phi(R, x, d, c, xt)
    for _ in range(_MAX_BRACKET):
        if c_[ABORT] != 0 or not fc < fb or fc == -inf or c <= low or c >= high:
            break
        r, q = (b - a) * (fb - fc), (b - c) * (fb - fa)
        twice = 2.0 * (q - r)
        if abs(twice) < 2.0 * _TINY:
            twice = 2.0 * _TINY
        u = _within(b - ((b - c) * q - (b - a) * r) / twice, low, high)  # the parabola's minimiser
        limit = _within(b + _MAX_JUMP * (c - b), low, high)
        beyond = _within(c + _GOLD * (c - b), low, high)
        if (u - c) * (b - u) > 0.0:
            fu = phi(R, x, d, u, xt)
            if fu < fc:
                return b, u, c, fu, True
            if fu > fb:
                return a, b, u, fb, True
            u = beyond
            fu = phi(R, x, d, u, xt)
        elif (u - limit) * (limit - c) >= 0.0:
            u = limit
            fu = phi(R, x, d, u, xt)
        elif (u - limit) * (c - u) > 0.0:
            fu = phi(R, x, d, u, xt)
            if fu < fc:
                b, c, fb, fc = c, u, fc, fu
                u = _within(c + _GOLD * (c - b), low, high)
                fu = fc if u == c else phi(R, x, d, u, xt)
        else:
            u = beyond
            fu = phi(R, x, d, u, xt)
        a, b, c, fa, fb, fc = b, c, u, fb, fc, fu
    if c_[ABORT] != 0:
        return a, b, c, fb, False
    found = ((fb < fc and fb <= fa) or (fb < fa and fb <= fc)) and (a < b < c or c < b < a)
    if not found and (c == low or c == high) and abs(c) < inf:
        # the bound is the lowest point of all, or t = 0 is and lies on it
        end, other, fe = c, (a if c == b else b), fc
        for share in _PROBES:
            u = end + share * (other - end)
            fu = phi(R, x, d, u, xt)
            if c_[ABORT] != 0:
                break
            if fu < fe:
                return end, u, other, fu, True
            other = u
    return a, b, c, fb, found


@kernel
def line_minimum(R, x, d, f0, first, tol, xt):
    """Minimise along d from x, where f is f0; ``first`` is the first trial step, xt is overwritten.

    Sets p[T_LOW] and p[F_LOW] to the lowest point seen (0 and f0 if none is lower), also if the run is cut off.
    """
    p, counters = R.p, R.c
    p[T_LOW], p[F_LOW] = 0.0, f0
    low, high = interval(R, x, d)
    a, b, c, fb, found = _bracket(R, x, d, f0, first, low, high, xt)
    if not found:
        return
    a, c = min(a, c), max(a, c)
    # t: the lowest point; w: the second lowest; v: the w before
    t = w = v = b
    ft = fw = fv = fb
    last, step = 0.0, 0.0  # the step before the last; the last
    for _ in range(_MAX_BRENT):
        tol1 = tol * abs(t) + _LEAST_TOL
        middle = 0.5 * (a + c)
        if abs(t - middle) < 2.0 * tol1 - 0.5 * (c - a):
            return
        golden = True
        if abs(last) > tol1:
            # the parabola through t, w, v: its minimiser is t + num / den
            r, q = (t - w) * (ft - fv), (t - v) * (ft - fw)
            num, den = (t - v) * q - (t - w) * r, 2.0 * (q - r)
            if den > 0.0:
                num = -num
            den = abs(den)
            before, last = last, step
            if den * (a - t) < num < den * (c - t) and abs(num) < abs(0.5 * den * before):
                step, golden = num / den, False
                if (t + step) - a < 2.0 * tol1 or c - (t + step) < 2.0 * tol1:
                    step = tol1 if middle >= t else -tol1
        if golden:
            last = a - t if t >= middle else c - t
            step = _SECTION * last
        u = t + step if abs(step) >= tol1 else (t + tol1 if step >= 0.0 else t - tol1)
        fu = phi(R, x, d, u, xt)
        if counters[ABORT] != 0:
            return
        if fu > ft:
            if u < t:
                a = u
            else:
                c = u
            if fu <= fw or w == t:
                v, w, fv, fw = w, u, fw, fu
            elif fu <= fv or v == t or v == w:
                v, fv = u, fu
        else:
            if u >= t:
                a = t
            else:
                c = t
            v, w, t, fv, fw, ft = w, t, u, fw, ft, fu
