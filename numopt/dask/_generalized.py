"""Logistic and Poisson regression: sums over the partitions drive Newton's method or L-BFGS.

    f(W) = 1 / S sum_i s_i l(y_i, W'x_i) + lam / 2 |W|^2

A partition's value, gradient and, for Newton's method, Hessian are those of :mod:`numopt.optimize._glm`; only sums
travel.
"""

import numpy as np
from sklearn.base import RegressorMixin
from sklearn.metrics import accuracy_score
from sklearn.utils import compute_class_weight

import numopt
from numopt.dask._base import NOT_FINITE, Lazy, check_numeric, read_data
from numopt.dask._partials import add, centre, counts, labels, losses, merge_labels, one_thread, spread
from numopt.linear_model._glm import deviance_explained
from numopt.linear_model._linear_base import LinearPredictor, check_flags, check_tolerance, is_integer, is_number
from numopt.linear_model._logistic import LinearClassifier
from numopt.linear_model._logistic_problem import split, warn_unconverged
from numopt.optimize._glm_newton import Factor, largest, search

SOLVERS = ("auto", "newton", "lbfgs")
NEWTON_UP_TO = 500  # rows of a Hessian that "auto" sums: 2 MB a partition


class Summed:
    """The objective, summed over partitions.

    Parameters
    ----------
    rows : numopt.dask._rows.Chunks or Blocks
    loss : {'logistic', 'multinomial', 'poisson'}
    p, outputs : int
        Features, and columns of W.
    lam : float
        Weight of the penalty.
    intercept : bool
    classes : array or None
        Of which the codes are the targets.
    shares : array or None
        Weights of the classes.
    """

    def __init__(self, rows, loss, p, outputs, lam, intercept, classes=None, shares=None):
        self.rows, self.loss, self.p, self.K, self.lam, self.intercept = rows, loss, p, outputs, lam, bool(intercept)
        self.q, self.classes, self.shares = p + self.intercept, classes, shares

    def evaluate(self, W, hessian=False):
        """(f, gradient, Hessian without the penalty or None)."""
        args = W, self.loss, self.classes, self.shares, self.intercept, hessian
        value, G, H, total = self.rows.reduce(losses, add, args)
        inner = W[: self.p]
        value, G = value / total + 0.5 * self.lam * float(np.vdot(inner, inner)), G / total
        G[: self.p] += self.lam * inner
        return value, G, None if H is None else np.asfortranarray(H / total)

    def moments(self):
        """Means, zero without an intercept, and deviations from them of X's columns, each of shape (p, 1)."""
        about = self.rows.first(centre, (False,))[0] if self.intercept else np.zeros(self.p)
        first, second, total = self.rows.reduce(spread, add, (about,))
        if not (np.isfinite(first).all() and np.isfinite(second).all()):
            raise ValueError(NOT_FINITE)
        first, second = first / total, second / total
        mean = about + first if self.intercept else np.zeros(self.p)
        deviation = np.sqrt(np.maximum(second - first**2 if self.intercept else second, 0.0))
        # a column of one number has no deviation but for rounding
        deviation[~(deviation > 1e-12 * np.abs(mean))] = 1.0
        return mean[:, None], deviation[:, None]


def minimise(f, W, solver, tol, max_iter):
    """(W, iterations, largest component of the gradient) by a solver of ``SOLVERS``."""
    newton = solver == "newton" or (solver == "auto" and W.size <= NEWTON_UP_TO)
    with one_thread:
        return _newton(f, W, tol, max_iter) if newton else _lbfgs(f, W, tol, max_iter)


def _first(value, G):
    if not (np.isfinite(value) and np.isfinite(G).all()):
        raise ValueError(NOT_FINITE)


def _newton(f, W, tol, max_iter):
    value, G, H = f.evaluate(W, True)
    _first(value, G)
    if H is None:
        raise ValueError("solver='newton' takes sparse X of few columns only: choose 'lbfgs'")
    gnorm = largest(G, None)
    for iteration in range(max_iter):
        if not gnorm > tol:
            return W, iteration, gnorm
        d = Factor(f, H, None).solve(-G)
        found = search(f, W, d, value, G, gnorm, True, None)
        if found is None:
            return W, iteration + 1, gnorm
        W, value, G, H = found
        gnorm = largest(G, None)
    return W, max_iter, gnorm


def _lbfgs(f, W, tol, max_iter):
    """In the coefficients V of columns of mean 0 and variance 1, for which far fewer iterations do."""
    shape, p = W.shape, f.p
    m, scale = f.moments()
    norms: dict = {}  # of the gradient in W, by points

    def unscaled(v):
        W = v.reshape(shape).copy()
        W[:p] /= scale
        W[p:] -= (m * W[:p]).sum(axis=0)
        return W

    def fun(v):
        value, G, _ = f.evaluate(unscaled(v))
        if not norms:
            _first(value, G)
        norms[v.tobytes()] = largest(G, None)
        G[:p] = (G[:p] - m * G[p:].sum(axis=0)) / scale
        return value, G.ravel()

    def callback(v):
        gnorm = norms.get(v.tobytes(), np.inf)
        norms.clear()
        norms[v.tobytes()] = gnorm
        if gnorm <= tol:
            raise StopIteration

    V = W.copy()
    V[p:] += (m * V[:p]).sum(axis=0)
    V[:p] *= scale
    options = {"gtol": 0.0, "maxiter": max_iter}
    result = numopt.minimize(fun, V.ravel(), jac=True, method="lbfgs", callback=callback, options=options)
    G = result.jac.reshape(shape)
    G[:p] = G[:p] * scale + m * G[p:].sum(axis=0)
    return unscaled(result.x), int(result.nit), largest(G, None)


def _check(estimator):
    check_flags(estimator, "fit_intercept")
    check_tolerance(estimator.tol)
    if not is_integer(estimator.max_iter) or estimator.max_iter < 1:
        raise ValueError(f"max_iter must be an integer >= 1, got {estimator.max_iter!r}")
    if estimator.solver not in SOLVERS:
        raise ValueError(f"solver must be one of {', '.join(SOLVERS)}, got {estimator.solver!r}")


class LogisticRegression(Lazy, LinearClassifier):
    """Logistic regression of data in partitions: for two classes, or multinomial for more.

    Minimises the objective of :class:`numopt.linear_model.LogisticRegression` with ``l1_ratio=0``: the answers are that
    estimator's to the whole data.  The intercepts have no penalty.

    Parameters
    ----------
    C : float, default=1.0
        Inverse strength of the squared penalty, positive; infinite for none.
    tol : float, default=1e-4
        The largest component of the gradient at the end.
    fit_intercept : bool, default=True
        Whether to fit intercepts.
    class_weight : dict or 'balanced', default=None
        Weights of the classes; 'balanced': inversely to their total weights.
    solver : {'auto', 'newton', 'lbfgs'}, default='auto'
        Newton's method, for which the partitions' Hessians are summed; limited-memory BFGS, for which values and
        gradients are.  'auto': Newton's method for up to 500 coefficients.
    max_iter : int, default=100
        Iterations at most; Newton's method reads the data about once in each, L-BFGS as well.
    chunk_rows : int, default=None
        Rows that are read at a time where X is not a Dask array, which has partitions of its own.  None: about 8 MiB.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
    coef_ : ndarray of shape (1, n_features) or (n_classes, n_features)
    intercept_ : ndarray of shape (1,) or (n_classes,)
    n_iter_ : ndarray of shape (1,)
        Iterations.
    n_features_in_ : int

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from numopt.dask import LogisticRegression
    >>> X, y = load_iris(return_X_y=True)
    >>> model = LogisticRegression(chunk_rows=40).fit(X, y)
    >>> model.predict(X[:2]), round(model.score(X, y), 3)
    (array([0, 0]), 0.973)
    """

    _measure = staticmethod(accuracy_score)

    def __init__(
        self, *, C=1.0, tol=1e-4, fit_intercept=True, class_weight=None, solver="auto", max_iter=100, chunk_rows=None
    ):
        self.C = C
        self.tol = tol
        self.fit_intercept = fit_intercept
        self.class_weight = class_weight
        self.solver = solver
        self.max_iter = max_iter
        self.chunk_rows = chunk_rows

    def fit(self, X, y, sample_weight=None):
        """Fit the model.

        Parameters
        ----------
        X : Dask array, or array-like that can be sliced by rows, of shape (n_samples, n_features)
            Samples; ``numpy.memmap`` and the like are read a chunk at a time.
        y : Dask array or array-like of shape (n_samples,)
            Classes.
        sample_weight : float, Dask array or array-like of shape (n_samples,), default=None
            Nonnegative weights; zero is as good as leaving the sample out.

        Returns
        -------
        LogisticRegression
            The fitted estimator.
        """
        _check(self)
        if not is_number(self.C) or not self.C > 0:
            raise ValueError(f"C must be a real number > 0, or infinite, got {self.C!r}")
        weight = self.class_weight
        if not (weight is None or isinstance(weight, dict) or (isinstance(weight, str) and weight == "balanced")):
            raise ValueError(f"class_weight must be a dict, 'balanced' or None, got {weight!r}")
        rows, dtype = read_data(self, X, y, sample_weight)
        classes, sums = rows.reduce(labels, merge_labels, (), skip=1)
        if classes.dtype.kind == "f" and not (classes == np.floor(classes)).all():
            raise ValueError("y must hold classes; got numbers with fractions, or NaN")
        shares = None
        if isinstance(weight, dict):
            shares = compute_class_weight(weight, classes=classes, y=classes)
            kept = shares > 0
        else:
            kept = sums > 0
            if weight is not None:
                shares = sums.sum() / (len(classes) * sums)
        if np.count_nonzero(kept) < 2:
            raise ValueError(
                f"y must hold samples of at least two classes with positive weight, got one class: {classes.tolist()!r}"
            )
        total = float(sums.sum() if shares is None else sums @ shares)
        p, K = self.n_features_in_, 1 if len(classes) == 2 else len(classes)
        f = Summed(
            rows, "logistic" if K == 1 else "multinomial", p, K, 1.0 / (self.C * total), self.fit_intercept, classes,
            shares,
        )  # fmt: skip
        W, count, reached = minimise(f, np.zeros((f.q, K)), self.solver, self.tol, self.max_iter)
        if not reached <= self.tol:
            warn_unconverged("gradient", reached, self.tol, count, self.max_iter)
        self.classes_, self.n_iter_ = classes, np.array([max(count, 1)], np.int32)
        self.coef_, self.intercept_ = split(W, p, dtype)
        return self

    def decision_function(self, X):
        """Scores of the classes; for two classes that of ``classes_[1]``.

        Parameters
        ----------
        X : Dask array or array-like of shape (n_samples, n_features)
            Samples.

        Returns
        -------
        Dask array or ndarray, shape (n_samples,) or (n_samples, n_classes)
        """
        return self._lazily(super().decision_function, X)

    def predict_proba(self, X):
        """Probabilities of the classes, in the order of ``classes_``.

        Parameters
        ----------
        X : Dask array or array-like of shape (n_samples, n_features)
            Samples.

        Returns
        -------
        Dask array or ndarray, shape (n_samples, n_classes)
        """
        return self._lazily(super().predict_proba, X)

    def predict_log_proba(self, X):
        """Logarithms of the probabilities.

        Parameters
        ----------
        X : Dask array or array-like of shape (n_samples, n_features)
            Samples.

        Returns
        -------
        Dask array or ndarray, shape (n_samples, n_classes)
        """
        return self._lazily(super().predict_log_proba, X)


class _Means(RegressorMixin, LinearPredictor):
    def predict(self, X):
        return np.exp(self._decision(X))


class PoissonRegressor(Lazy, _Means):
    """Poisson regression of data in partitions: counts or rates with mean exp(x'w + b), and a squared penalty.

    Minimises the objective of :class:`numopt.linear_model.PoissonRegressor`: the answers are that estimator's to the
    whole data.

    Parameters
    ----------
    alpha : float, default=1.0
        Weight of the penalty, nonnegative.
    fit_intercept : bool, default=True
        Whether to fit b, which has no penalty.
    solver : {'auto', 'newton', 'lbfgs'}, default='auto'
        Newton's method, for which the partitions' Hessians are summed; limited-memory BFGS, for which values and
        gradients are.  'auto': Newton's method for up to 500 coefficients.
    max_iter : int, default=100
        Iterations at most.
    tol : float, default=1e-4
        The largest component of the gradient at the end.
    chunk_rows : int, default=None
        Rows that are read at a time where X is not a Dask array, which has partitions of its own.  None: about 8 MiB.

    Attributes
    ----------
    coef_ : ndarray of shape (n_features,)
    intercept_ : float
    n_iter_ : int
        Iterations.
    n_features_in_ : int

    Examples
    --------
    >>> from numopt.dask import PoissonRegressor
    >>> X, y = [[1, 2], [2, 3], [3, 4], [4, 3]], [12, 17, 22, 21]
    >>> model = PoissonRegressor(tol=1e-8, chunk_rows=2).fit(X, y)
    >>> model.coef_.round(4), round(model.score(X, y), 4)
    (array([0.1211, 0.1584]), 0.9905)
    """

    _measure = staticmethod(deviance_explained)

    def __init__(self, *, alpha=1.0, fit_intercept=True, solver="auto", max_iter=100, tol=1e-4, chunk_rows=None):
        self.alpha = alpha
        self.fit_intercept = fit_intercept
        self.solver = solver
        self.max_iter = max_iter
        self.tol = tol
        self.chunk_rows = chunk_rows

    def fit(self, X, y, sample_weight=None):
        """Fit the model.

        Parameters
        ----------
        X : Dask array, or array-like that can be sliced by rows, of shape (n_samples, n_features)
            Samples; ``numpy.memmap`` and the like are read a chunk at a time.
        y : Dask array or array-like of shape (n_samples,)
            Targets, none negative, with a positive one among them.
        sample_weight : float, Dask array or array-like of shape (n_samples,), default=None
            Nonnegative weights; zero is as good as leaving the sample out.

        Returns
        -------
        PoissonRegressor
            The fitted estimator.
        """
        _check(self)
        if not is_number(self.alpha) or not 0 <= self.alpha < np.inf:
            raise ValueError(f"alpha must be a finite real number >= 0, got {self.alpha!r}")
        check_numeric(y)
        rows, dtype = read_data(self, X, y, sample_weight)
        total, weighted, negative = rows.reduce(counts, add, (), skip=1)
        if negative < 0:
            raise ValueError("y must hold no negative values for a Poisson model")
        if not np.isfinite(weighted):
            raise ValueError(NOT_FINITE)
        if not weighted > 0:
            raise ValueError("y must hold a positive value of positive weight for a Poisson model; all are zero")
        p = self.n_features_in_
        f = Summed(rows, "poisson", p, 1, float(self.alpha), self.fit_intercept)
        W = np.zeros((f.q, 1))
        W[p:] = np.log(weighted / total)  # the solution for coefficients of zero
        W, self.n_iter_, reached = minimise(f, W, self.solver, self.tol, self.max_iter)
        if not reached <= self.tol:
            warn_unconverged("gradient", reached, self.tol, self.n_iter_, self.max_iter)
        self.coef_ = W[:p, 0].astype(dtype)
        self.intercept_ = dtype.type(W[p, 0]) if self.fit_intercept else 0.0
        return self
