r"""The loss of a small network and its gradient as one jitted function, for batches of problems.

    f = (1/m) sum_i loss(z_i, y_i) + alpha / (2 m) ||W||^2

z the outputs of the last layer; see ``network._network`` for the layers and for the order of the parameters.  The
samples are taken one by one, so that a problem needs no more than two numbers for each unit: ``work`` holds the units'
values and then the derivatives of the loss by their inputs.  It allocates nothing, and runs on a GPU too.
"""

from math import exp, log, log1p, tanh

from numba import njit

IDENTITY, LOGISTIC, TANH, RELU = range(4)
ACTIVATIONS = ("identity", "logistic", "tanh", "relu")
SQUARED_ERROR, BINARY, SOFTMAX = range(3)


@njit(error_model="numpy")
def _logistic(z):
    e = exp(-abs(z))
    return (1.0 if z >= 0.0 else e) / (1.0 + e)


@njit(error_model="numpy")
def _activate(kind, z):
    if kind == TANH:
        return tanh(z)
    if kind == RELU:
        return 0.0 if z < 0.0 else z  # NaN stays
    if kind == LOGISTIC:
        return _logistic(z)
    return z


@njit(error_model="numpy")
def _slope(kind, a):
    """The activation's derivative where its value is a."""
    if kind == TANH:
        return 1.0 - a * a
    if kind == RELU:
        return 1.0 if a > 0.0 else 0.0
    if kind == LOGISTIC:
        return a * (1.0 - a)
    return 1.0


@njit(error_model="numpy")
def _loss(kind, Y, i, work, first, k, shift):
    """The loss of sample i; its derivatives are written ``shift`` places behind the outputs."""
    total = 0.0
    if kind == SOFTMAX:
        top = work[first]
        for u in range(1, k):
            top = max(top, work[first + u])
        for u in range(k):
            e = exp(work[first + u] - top)
            work[first + shift + u] = e
            total += e
        label = int(Y[i, 0])
        for u in range(k):
            work[first + shift + u] /= total
        work[first + shift + label] -= 1.0
        return log(total) + top - work[first + label]
    for u in range(k):
        z, y = work[first + u], Y[i, u]
        if kind == BINARY:
            total += max(z, 0.0) + log1p(exp(-abs(z))) - y * z
            work[first + shift + u] = _logistic(z) - y
        else:
            total += 0.5 * (z - y) * (z - y)
            work[first + shift + u] = z - y
    return total


@njit(error_model="numpy")
def loss(x, g, X, Y, sizes, activation, kind, alpha, work):
    """f; sets g.  ``work``: as many numbers as twice the units of all layers but the first."""
    depth, m = sizes.size - 1, X.shape[0]
    units = 0
    for l in range(depth):
        units += sizes[l + 1]
    for j in range(x.size):
        g[j] = 0.0
    total = 0.0
    for i in range(m):
        at, first = 0, 0  # of the layer's parameters, of its units
        for l in range(depth):
            fan_in, fan_out = sizes[l], sizes[l + 1]
            bias = at + fan_in * fan_out
            for u in range(fan_out):
                z = x[bias + u]
                row = at + u * fan_in
                if l == 0:
                    for c in range(fan_in):
                        z += x[row + c] * X[i, c]
                else:
                    for c in range(fan_in):
                        z += x[row + c] * work[first - fan_in + c]
                work[first + u] = _activate(activation, z) if l + 1 < depth else z
            at, first = bias + fan_out, first + fan_out
        first -= sizes[depth]
        total += _loss(kind, Y, i, work, first, sizes[depth], units)
        for l in range(depth - 1, -1, -1):
            fan_in, fan_out = sizes[l], sizes[l + 1]
            at -= (fan_in + 1) * fan_out
            bias, before = at + fan_in * fan_out, first - fan_in
            for u in range(fan_out):
                d = work[units + first + u]
                row = at + u * fan_in
                g[bias + u] += d
                if l == 0:
                    for c in range(fan_in):
                        g[row + c] += d * X[i, c]
                else:
                    for c in range(fan_in):
                        g[row + c] += d * work[before + c]
            if l > 0:
                for c in range(fan_in):
                    s = 0.0
                    for u in range(fan_out):
                        s += x[at + u * fan_in + c] * work[units + first + u]
                    work[units + before + c] = s * _slope(activation, work[before + c])
            first = before
    square, at = 0.0, 0
    for j in range(x.size):
        g[j] /= m
    for l in range(depth):
        for j in range(at, at + sizes[l] * sizes[l + 1]):
            square += x[j] * x[j]
            g[j] += alpha / m * x[j]
        at += (sizes[l] + 1) * sizes[l + 1]
    return (total + 0.5 * alpha * square) / m
