"""Where things stand behind a sum of squares with a sparse Jacobian: after the words of ``squares_slots``."""

from numopt.kernels.squares_slots import N_WORDS as _FIRST

(
    POINTERS,  # CSR: where the rows begin (m + 1, uint64), columns (uint32), values
    COLUMNS,
    VALUES,
    FORWARD,  # an operator in place of a matrix: (v, u, n, m) sets u = J v, (u, v, n, m) sets v = J'u
    ADJOINT,
    WEIGHTS,  # [row weights of the loss, residuals with the loss in them] (2 m)
    LEFT,  # r + J s of the model (m)
    U,  # of LSMR (m)
    IMAGE,  # J d, or what an operator made (m)
    GROUPS,  # number of groups of columns that share no row; 0: no differences
    GROUP_POINTERS,  # where the groups begin (groups + 1, int64), their columns (int64)
    GROUP_MEMBERS,
    ENTRY_POINTERS,  # where the entries of those columns begin (n + 1, int64), their rows, their places in the values
    ENTRY_ROWS,
    ENTRY_PLACES,
    DIFFERENCES,  # near points, far points, kinds (3 n)
    SHIFTED,  # residuals at the near points, at the far points (2 m)
    KEPT_X,  # the point of a group's evaluations (n)
    MAX_PRODUCTS,  # of LSMR in one go
    ACCURACY,  # address of two doubles: accuracy of the steps, 0 for a forcing sequence; damping
) = range(_FIRST, _FIRST + 20)
N_SPARSE_WORDS = _FIRST + 20
