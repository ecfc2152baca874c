"""The inverse Hessian of limited-memory BFGS where bounds fix some of the variables; imported when it is asked for."""

import numpy as np
from scipy.optimize import LbfgsInvHessProduct


class FreeInverse(LbfgsInvHessProduct):
    """scipy's operator on the free variables, zero in the rows and columns of the others.

    Parameters
    ----------
    sk, yk : ndarray, shape (k, n)
        The pairs, zero for fixed variables.
    free : ndarray of bool, shape (n,)
    """

    def __init__(self, sk, yk, free):
        super().__init__(sk, yk)
        self.free = free

    def _matvec(self, x):
        return np.where(self.free, super()._matvec(x), 0.0)

    def _matmat(self, X):
        return np.where(self.free[:, None], super()._matmat(X), 0.0)

    def todense(self):
        """The same as an array."""
        return np.where(np.outer(self.free, self.free), super().todense(), 0.0)
