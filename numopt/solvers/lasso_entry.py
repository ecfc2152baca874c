"""Where the compiled path solver of the lasso is entered: one function for each storage of X, and a table of words."""

from numba import carray, types

from numopt.kernels.compiling import inlined, kernel
from numopt.kernels.oracle import void_pointer
from numopt.solvers import lasso_slots as slots
from numopt.solvers.lasso import path
from numopt.solvers.lasso_slots import PANEL


@inlined
def _run(X, table):
    n, p, k, cap = table[slots.T_N], table[slots.T_P], table[slots.T_PATH], table[slots.T_CAP]
    real, word = types.float64, types.int64
    weighted = table[slots.T_WEIGHTED]
    wide = cap + (-cap) % 4
    F_size = slots.F_COLUMNS * p + slots.F_ROWS * n + slots.F_COLUMNS_CAP * cap
    return path(
        X,
        carray(void_pointer(table[slots.T_Y]), (n,), real),
        carray(void_pointer(table[slots.T_S]), (n if weighted else 0,), real),
        table[slots.T_CENTRED] != 0,
        table[slots.T_POSITIVE] != 0,
        carray(void_pointer(table[slots.T_NA]), (k,), real),
        carray(void_pointer(table[slots.T_L2]), (k,), real),
        carray(void_pointer(table[slots.T_COEFS]), (k, p), real),
        carray(void_pointer(table[slots.T_GAPS]), (k,), real),
        carray(void_pointer(table[slots.T_PASSES]), (k,), word),
        carray(void_pointer(table[slots.T_OUT]), (slots.N_OUT,), real),
        table[slots.T_MAX_ITER],
        table[slots.T_SEED],
        cap,
        carray(void_pointer(table[slots.T_F]), (F_size,), real),
        carray(void_pointer(table[slots.T_I]), (slots.I_COLUMNS * p + slots.I_COLUMNS_CAP * cap,), word),
        carray(void_pointer(table[slots.T_G]), (wide, wide), real),
        carray(void_pointer(table[slots.T_PANEL]), (wide, PANEL), real),
        carray(
            void_pointer(table[slots.T_GIVEN]), (p if table[slots.T_GIVEN_WIDE] else 0, table[slots.T_GIVEN_WIDE]), real
        ),
        table[slots.T_TRUSTED] != 0,
        table[slots.T_GRAM],
        carray(void_pointer(table[slots.T_GRAM_WORDS]), (slots.N_GRAM_WORDS,), types.intp),
        carray(void_pointer(table[slots.T_GRAM_REALS]), (slots.N_GRAM_REALS,), real),
    )


@kernel
def _table(address):
    return carray(void_pointer(address), (slots.N_WORDS,), types.intp)


def columns64(address, _):
    """Dense float64, columns contiguous."""
    a = _table(address)
    return _run(carray(void_pointer(a[slots.T_DATA]), (a[slots.T_P], a[slots.T_N]), types.float64), a)


def columns32(address, _):
    """Dense float32, columns contiguous."""
    a = _table(address)
    return _run(carray(void_pointer(a[slots.T_DATA]), (a[slots.T_P], a[slots.T_N]), types.float32), a)


def rows64(address, _):
    """Dense float64, rows contiguous."""
    a = _table(address)
    return _run((carray(void_pointer(a[slots.T_DATA]), (a[slots.T_N], a[slots.T_P]), types.float64),), a)


def rows32(address, _):
    """Dense float32, rows contiguous."""
    a = _table(address)
    return _run((carray(void_pointer(a[slots.T_DATA]), (a[slots.T_N], a[slots.T_P]), types.float32),), a)


@kernel
def _csc(a, real):
    # read as unsigned, indices need no test for negative ones, which would double the time of a pass
    return (
        carray(void_pointer(a[slots.T_DATA]), (a[slots.T_NNZ],), real),
        carray(void_pointer(a[slots.T_INDICES]), (a[slots.T_NNZ],), types.uint32),
        carray(void_pointer(a[slots.T_STARTS]), (a[slots.T_P] + 1,), types.uint32),
    )


def sparse64(address, _):
    """Compressed columns, float64."""
    a = _table(address)
    return _run(_csc(a, types.float64), a)


def sparse32(address, _):
    """Compressed columns, float32."""
    a = _table(address)
    return _run(_csc(a, types.float32), a)
