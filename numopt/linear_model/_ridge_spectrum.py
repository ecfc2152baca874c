"""The decomposition that ridge regression over many strengths needs only once.

One decomposition serves every strength and every target. With A'A = V diag(l) V' and T = A V, the residual of row i
that a fit without row i would leave is (b_i - t_i' c(alpha)) / (1 - s_i^2 / sum s^2 - sum_j t_ij^2 / (l_j + alpha)),
where c(alpha) = (T'b)_j / (l_j + alpha) and s_i^2 is the row's weight; the middle term is the constant's.
With no more rows than columns, A A' = U diag(l) U' gives it as (G b)_i / G_ii, G = U diag(1 / (l + alpha)) U', and the
null vector s of A A', which the constant adds, is left out of U.

References
----------
G. H. Golub, M. Heath, G. Wahba, Generalized cross-validation as a method for choosing a good ridge parameter,
Technometrics 21 (1979), 215-223.
R. Rifkin, R. Lippert, Notes on regularized least squares, MIT-CSAIL-TR-2007-025 (2007).
"""

import numpy as np
import scipy.linalg
import scipy.sparse as sp
from sklearn.base import is_classifier

from numopt.linear_model._linear_base import System, check_inputs, product, product_t, times
from numopt.linear_model._ridge_solvers import SYR

_CELLS = 1 << 18  # numbers in a block of rows: two megabytes stay in the cache


class Spectrum:
    """The decomposition of A from which coefficients and left-out residuals of every strength come."""

    def __init__(self, system, mode="auto"):
        n, p = system.shape
        self.system, self.dual = system, n <= p
        if mode == "svd":
            U, d, Vt = scipy.linalg.svd(system.explicit(), full_matrices=False, check_finite=False)
            self.values, self.vectors = d**2, U if self.dual else Vt.T
            if self.dual and system.centred:
                self._leave_out(self.values, self.vectors)
        else:
            G = system.gram(self.dual)
            if self.dual and system.centred:
                # Moved above all others, the null vector s is the last eigenvector, whatever the null space of A A'.
                upper = np.abs(np.triu(G))
                bound = (upper.sum(axis=0) + upper.sum(axis=1)).max()
                G = SYR[G.dtype.char](2.0 * bound + 1.0, system.left_null(), a=G, overwrite_a=1)
            values, vectors = scipy.linalg.eigh(G, lower=False, driver="evd", check_finite=False)
            if self.dual and system.centred:
                values, vectors = values[:-1], vectors[:, :-1]
            self.values, self.vectors = np.maximum(values, 0.0), vectors
        self.vectors = np.ascontiguousarray(self.vectors)
        self.inner = product_t(self.vectors, system.B if self.dual else system.t_dot(system.B))

    def _leave_out(self, values, vectors):
        # The singular vectors of the null space are any basis of it: reflect it so that s is the last one.
        s = self.system.left_null()
        null = values <= values.max(initial=0.0) * (len(values) * np.finfo(float).eps) ** 2
        null[-1] = True
        Q = np.linalg.svd(vectors[:, null] - np.outer(s, s @ vectors[:, null]), full_matrices=False)[0]
        basis = Q[:, : null.sum() - 1]
        self.values = np.concatenate([values[~null], np.zeros(basis.shape[1])])
        self.vectors = np.column_stack([vectors[:, ~null], basis])

    def _filters(self, alphas):
        total = self.values[:, None] + alphas
        least = np.where(alphas > 0, 0.0, len(self.values) * np.finfo(float).eps * self.values.max(initial=0.0))
        return np.divide(1.0, total, out=np.zeros_like(total), where=total > least)

    def coefficients(self, alphas):
        """W of every strength, of shape (n_features, n_alphas, n_targets)."""
        C = self._filters(alphas)[:, :, None] * self.inner[:, None, :]
        W = product(self.vectors, C.reshape(len(C), -1))
        if self.dual:
            W = self.system.t_dot(np.asfortranarray(W))
        return W.reshape(len(W), len(alphas), -1)

    def left_out(self, alphas):
        """Yields rows and their left-out residuals, of shape (rows, n_targets, n_alphas), a block of rows at a time."""
        system, (n, _) = self.system, self.system.shape
        F = self._filters(alphas)
        C = (self.inner[:, :, None] * F[:, None, :]).reshape(len(F), -1)
        size = max(1, _CELLS // (len(F) + C.shape[1] + 1))
        X, V = system.X.tocsr() if system.sparse and not self.dual else system.X, self.vectors
        for i in range(0, n, size):
            rows = slice(i, i + size)
            if self.dual:
                T = V[rows]
            else:
                T = X[rows] @ V if system.sparse else times(np.ascontiguousarray(X[rows]), V)
                if system.shift is not None:
                    T -= system.shift @ V
                if system.root is not None:
                    T *= system.root[rows, None]
            residual = times(T, C).reshape(len(T), -1, len(alphas))
            free = times(T * T, F)
            if not self.dual:
                np.subtract(system.B[rows, :, None], residual, out=residual)
                np.subtract(1.0, free, out=free)
                if system.centred:
                    free -= 1.0 / n if system.roots is None else (system.roots[rows, None] ** 2 / system.total)
            residual /= free[:, None, :]
            yield rows, residual


def ridge_path(model, X, y, weights, alphas):
    """Yields the model fitted with every strength."""
    n, p = X.shape
    if sp.issparse(X) and min(n, p) > 1000:  # too large to decompose: products only
        for alpha in alphas:
            yield model.set_params(alpha=alpha).fit(X, y, sample_weight=weights)
        return
    if is_classifier(model):
        X, _, weights, Y = model._encode(X, y, weights)
    else:
        X, Y = check_inputs(model, X, y)
    system = System(X, Y[:, None] if Y.ndim == 1 else Y, fit_intercept=model.fit_intercept, weights=weights)
    W = Spectrum(system).coefficients(alphas).astype(X.dtype, copy=False)
    for i, alpha in enumerate(alphas):
        model.alpha = alpha
        model._set_line(W[:, i], system, Y)
        yield model
