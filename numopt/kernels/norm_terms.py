"""Terms l1 ||x||_1 + l2 / 2 x'x beside an objective, as a function of the callback ABI.

In place of the gradient, which does not exist where a variable is zero, it sets the subgradient of least norm: zero
exactly where x is a minimum of a convex f with these terms.  ``data`` is the address of a block: address and data of
the function of value and gradient, address of (l1, l2, the terms of variables that bounds fix).
"""

from numba import carray, types

from numopt.kernels.compiling import kernel
from numopt.kernels.oracle import call4, void_pointer

FUNCTION, DATA, NUMBERS = range(3)


@kernel
def value_grad(xp, gp, n, data):
    """f(x) with the terms; sets g."""
    k = carray(void_pointer(data), (3,), types.intp)
    numbers = carray(void_pointer(k[NUMBERS]), (3,), types.float64)
    l1, l2 = numbers[0], numbers[1]
    f = call4(k[FUNCTION], xp, gp, n, k[DATA])
    x, g = carray(void_pointer(xp), (n,), types.float64), carray(void_pointer(gp), (n,), types.float64)
    total, squares = 0.0, 0.0
    for i in range(n):
        total += abs(x[i])
        squares += x[i] * x[i]
        g[i] += l2 * x[i]
        if x[i] > 0.0:
            g[i] += l1
        elif x[i] < 0.0:
            g[i] -= l1
        elif g[i] > l1:
            g[i] -= l1
        elif g[i] < -l1:
            g[i] += l1
        elif g[i] == g[i]:
            g[i] = 0.0
    return f + (l1 * total + 0.5 * l2 * squares + numbers[2])
