"""Groups of columns of a sparse matrix that share no row: one evaluation makes the differences of a whole group.

Each column in turn gets the first colour that none of the columns it shares a row with has.

Reference: A. R. Curtis, M. J. D. Powell and J. K. Reid, On the estimation of sparse Jacobian matrices, IMA J. Appl.
Math. 13 (1974), 117-119.
"""

from numopt.kernels.robust import words

(COLUMN_POINTERS, ROWS, ROW_POINTERS, COLUMNS, ORDER, COLOURS, MARKS) = range(7)
N_COLOURING = 7


def unit(table, n, m):
    """Set the colours of n columns, -1 in all of them at first; how many there are.  All arrays are int64."""
    a = words(table, N_COLOURING)
    order, colour, mark = words(a[ORDER], n), words(a[COLOURS], n), words(a[MARKS], n + 1)
    pointer = words(a[COLUMN_POINTERS], n + 1)
    row = words(a[ROWS], pointer[n])
    row_pointer, column = words(a[ROW_POINTERS], m + 1), words(a[COLUMNS], pointer[n])
    most = 0
    for j in order:
        for e in range(pointer[j], pointer[j + 1]):
            i = row[e]
            for f in range(row_pointer[i], row_pointer[i + 1]):
                taken = colour[column[f]]
                if taken >= 0:
                    mark[taken] = j + 1
        first = 0
        while mark[first] == j + 1:
            first += 1
        colour[j] = first
        most = max(most, first + 1)
    return float(most)
