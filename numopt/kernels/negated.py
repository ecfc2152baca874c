"""The negative of a function, for maximisation.

Each function here follows the callback ABI; ``data`` is the address of two words: the function's address, and its data.
"""

from numopt.kernels.compiling import kernel
from numopt.kernels.composite import _reals, _words
from numopt.kernels.oracle import call3, call4, call5

N_NEGATED = 2


@kernel
def _negate(address, count):
    a = _reals(address, count)
    for i in range(count):
        a[i] = -a[i]


@kernel
def value(xp, n, data):
    """-f(x)."""
    k = _words(data, N_NEGATED)
    return -call3(k[0], xp, n, k[1])


@kernel
def vector(xp, gp, n, data):
    """-f(x) or nothing; sets the negative gradient."""
    k = _words(data, N_NEGATED)
    f = call4(k[0], xp, gp, n, k[1])
    _negate(gp, n)
    return -f


@kernel
def matrix(xp, hp, n, data):
    """Sets the negative Hessian."""
    k = _words(data, N_NEGATED)
    call4(k[0], xp, hp, n, k[1])
    _negate(hp, n * n)
    return 0.0


@kernel
def product(xp, vp, outp, n, data):
    """Sets the product of the negative Hessian with v."""
    k = _words(data, N_NEGATED)
    call5(k[0], xp, vp, outp, n, k[1])
    _negate(outp, n)
    return 0.0
