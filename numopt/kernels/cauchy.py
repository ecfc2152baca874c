"""The generalised Cauchy point of a limited-memory model with bounds.

Algorithm CP of R. H. Byrd, P. Lu, J. Nocedal and C. Zhu, A limited memory algorithm for bound constrained optimization,
SIAM J. Sci. Comput. 16 (1995), 1190-1208, section 4.
"""

from numopt.kernels.compact import solve_middle
from numopt.kernels.compiling import inlined, kernel, reduction

# break points are put in order as far as the minimiser on the path is away, then twice, four times as far
_FURTHER = 2.0
_FAR = 1.7e308  # any finite number


@kernel
def _sift(heap, keys, at, size):
    """Let the entry ``at`` sink to its place in a heap with the least key on top."""
    item = heap[at]
    key = keys[int(item)]
    while True:
        child = 2 * at + 1
        if child >= size:
            break
        if child + 1 < size and keys[int(heap[child + 1])] < keys[int(heap[child])]:
            child += 1
        if not keys[int(heap[child])] < key:
            break
        heap[at] = heap[child]
        at = child
    heap[at] = item


@kernel
def _gather(breaks, low, high, heap):
    """A heap of the variables with low < break <= high; returns its size."""
    size = 0
    for i in range(breaks.size):
        if breaks[i] > low and breaks[i] <= high:
            heap[size] = float(i)
            size += 1
    for at in range(size // 2 - 1, -1, -1):
        _sift(heap, breaks, at, size)
    return size


@reduction
def _break_points(x, g, lower, upper, breaks):
    """The t at which x - t g meets a bound, 0 at a bound with g outward, inf where never; (d'd, least t > 0) for the
    direction d = -g without those that stay."""
    dd, least = 0.0, float("inf")
    for i in range(x.size):
        gi = g[i]
        room = x[i] - lower[i] if gi > 0.0 else x[i] - upper[i]
        t = room / gi if gi != 0.0 else float("inf")
        breaks[i] = t
        dd += gi * gi if t > 0.0 else 0.0
        least = min(least, t if t > 0.0 else least)
    return dd, least


@kernel
def _small_dot(a, b, k, m):
    s = 0.0
    for j in range(k):
        s += a[j] * b[j] + a[m + j] * b[m + j]
    return s


@kernel
def cauchy_point(x, g, lower, upper, breaks, heap, S, Y, first, k, m, theta, sy, J, wd, p, c, w, h):
    """Set c = W'(xc - x), p = -W_F'g and the break points; returns t of xc and the t up to which variables are fixed.

    F are the variables that break later than that, ``wd`` the products of Y and S with the projected steepest descent
    direction; w, h are scratch (2 m).
    """
    n = x.size
    dd, least = _break_points(x, g, lower, upper, breaks)
    for j in range(k):
        p[j], p[m + j] = wd[j], theta * wd[m + j]
        c[j], c[m + j] = 0.0, 0.0
    f1, f2 = -dd, theta * dd
    if k > 0:
        solve_middle(sy, J, k, m, p, h)
        f2 -= _small_dot(p, h, k, m)
    f2_least = 2.220446049250313e-16 * theta * dd
    f2 = max(f2, f2_least)
    t, fixed, reached, reach, size = 0.0, 0.0, 0.0, 1.0, 0
    while f1 < 0.0:
        dt = -f1 / f2
        if size == 0:
            if least > t + dt or reached >= t + dt:
                break  # no break point on the way
            high = min(max(t + reach * dt, least), _FAR)
            size = _gather(breaks, reached, high, heap)
            reached = high
            reach *= _FURTHER
            if size == 0:
                break
        b = int(heap[0])
        tb = breaks[b]
        if t + dt < tb:
            break
        # (4.8) - (4.10): the variable b stays at its bound from here on
        size -= 1
        heap[0] = heap[size]
        _sift(heap, breaks, 0, size)
        step, gb = tb - t, g[b]
        zb = (upper[b] if gb < 0.0 else lower[b]) - x[b]
        f1 += step * f2 + gb * gb + theta * gb * zb
        f2 -= theta * gb * gb
        if k > 0:
            for j in range(k):
                at = ((first + j) % m) * n + b
                w[j], w[m + j] = Y[at], theta * S[at]
                c[j] += step * p[j]
                c[m + j] += step * p[m + j]
            solve_middle(sy, J, k, m, w, h)
            f1 -= gb * _small_dot(h, c, k, m)
            f2 -= 2.0 * gb * _small_dot(h, p, k, m) + gb * gb * _small_dot(h, w, k, m)
            for j in range(k):
                p[j] += gb * w[j]
                p[m + j] += gb * w[m + j]
        f2 = max(f2, f2_least)
        t, fixed = tb, tb
    last = -f1 / f2 if f1 < 0.0 else 0.0
    for j in range(k):
        c[j] += last * p[j]
        c[m + j] += last * p[m + j]
    return t + last, fixed


@inlined
def cauchy_step(x, g, lower, upper, breaks, t, fixed):
    """One variable's xc - x."""
    return ((upper if g < 0.0 else lower) - x) if breaks <= fixed else -t * g
