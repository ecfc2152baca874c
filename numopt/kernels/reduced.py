"""A function of all variables as one of the free variables, the others fixed.

Each function here follows the callback ABI; ``data`` is the address of a block of words (the slots below) that holds
the address of the function and its data, the free variables' indices, and buffers: x (n, the fixed values in place), a
vector and a second one (n), and a matrix (n x n) where the function has one.
"""

from numba import types

from numopt.kernels.compiling import kernel
from numopt.kernels.composite import _reals, _words
from numopt.kernels.oracle import call3, call4, call5

(FUNCTION, DATA, SIZE, FREE, FULL, VECTOR, OTHER, MATRIX) = range(8)
N_REDUCED = 8


@kernel
def _expand(k, xp, n):
    """The address of x over all variables."""
    x, free, full = _reals(xp, n), _words(k[FREE], n), _reals(k[FULL], k[SIZE])
    for i in range(n):
        full[free[i]] = x[i]
    return types.intp(full.ctypes.data)


@kernel
def value(xp, n, data):
    """f(x)."""
    k = _words(data, N_REDUCED)
    return call3(k[FUNCTION], _expand(k, xp, n), k[SIZE], k[DATA])


@kernel
def vector(xp, gp, n, data):
    """f(x) or nothing; sets the gradient."""
    k = _words(data, N_REDUCED)
    f = call4(k[FUNCTION], _expand(k, xp, n), k[VECTOR], k[SIZE], k[DATA])
    g, free, whole = _reals(gp, n), _words(k[FREE], n), _reals(k[VECTOR], k[SIZE])
    for i in range(n):
        g[i] = whole[free[i]]
    return f


@kernel
def matrix(xp, hp, n, data):
    """Sets the Hessian."""
    k = _words(data, N_REDUCED)
    size = k[SIZE]
    call4(k[FUNCTION], _expand(k, xp, n), k[MATRIX], size, k[DATA])
    H, free, whole = _reals(hp, n * n), _words(k[FREE], n), _reals(k[MATRIX], size * size)
    for i in range(n):
        for j in range(n):
            H[i * n + j] = whole[free[i] * size + free[j]]
    return 0.0


@kernel
def product(xp, vp, outp, n, data):
    """Sets the product of the Hessian with v."""
    k = _words(data, N_REDUCED)
    v, free, whole, out = _reals(vp, n), _words(k[FREE], n), _reals(k[VECTOR], k[SIZE]), _reals(outp, n)
    for i in range(whole.size):
        whole[i] = 0.0
    for i in range(n):
        whole[free[i]] = v[i]
    call5(k[FUNCTION], _expand(k, xp, n), k[VECTOR], k[OTHER], k[SIZE], k[DATA])
    other = _reals(k[OTHER], k[SIZE])
    for i in range(n):
        out[i] = other[free[i]]
    return 0.0
