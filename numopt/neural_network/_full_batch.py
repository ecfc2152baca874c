"""Training on all samples at once, by the solvers of numopt.minimize and numopt.least_squares."""

import math
from dataclasses import dataclass, field

import numpy as np

from numopt.catalog import METHODS, SQUARES, defaults
from numopt.kernels.first_order_slots import RULES
from numopt.kernels.status import LeastSquaresStatus, Status
from numopt.network.curvature import HessianProduct, OutputJacobian
from numopt.optimize._least_squares import least_squares
from numopt.optimize._minimize import minimize

# methods that read gradients, and names that stochastic solvers have as well mean these
_GENERAL = {name: row for name, row in METHODS.items() if not row.values_only and name not in RULES}
FULL_BATCH_SOLVERS = (*_GENERAL, *(name for name in SQUARES if name not in _GENERAL))

KRYLOV_BEYOND = 300  # parameters: up to here |H| is made from all eigenvectors of H, beyond on a Krylov space
_HESSIAN_UP_TO = 2000  # a product with H for each parameter, then n^3 / 3 operations, in each iteration
_ROOM = 2e9  # bytes that matrices may take
_SQUARES_OPTIONS = ("ftol", "xtol", "gtol", "x_scale", "factor", "geodesic", "accel_max", "max_time")
_FRONT_OPTIONS = ("line_search", "max_time")


@dataclass
class FullBatchResult:
    """What :func:`fit_full_batch` found.

    Attributes
    ----------
    loss : float
        The objective at ``network.theta``, penalty included.
    n_iter, n_fev : int
    status : Status or LeastSquaresStatus
    message : str
    success : bool
        Whether a test of convergence holds.
    loss_curve, gradient_norm_curve : list of float
        After each iteration: the objective, the 2-norm of its gradient.
    """

    loss: float
    n_iter: int
    status: int
    message: str
    success: bool
    n_fev: int
    loss_curve: list = field(default_factory=list)
    gradient_norm_curve: list = field(default_factory=list)


def solvers_for(loss, batch_norm=False, dropout=False, alpha_l1=False):
    """Names of the full-batch solvers that can serve a network and its penalty; none where batches are essential."""
    if batch_norm or dropout or alpha_l1:
        return ()
    return tuple(name for name in FULL_BATCH_SOLVERS if loss == "squared_error" or name in _GENERAL)


def check_full_batch(solver, loss, batch_norm=False, dropout=False, alpha_l1=False):
    """ValueError where a full-batch solver can't serve, with the names of those that can."""
    for flag, what in (
        (batch_norm, "batch_norm=True (its statistics are those of minibatches)"),
        (dropout, "dropout (it is drawn anew for each minibatch)"),
        (alpha_l1, "alpha_l1 > 0 (its gradient jumps at zero)"),
    ):
        if flag:
            able = ", ".join(map(repr, RULES))
            raise ValueError(f"solver={solver!r} can't be used with {what}; those that can are {able}")
    able = solvers_for(loss)
    if solver not in able:
        names = ", ".join(map(repr, able))
        raise ValueError(
            f"solver={solver!r} can't be used with the loss {loss!r}; full-batch solvers that can: {names}"
        )


def fit_full_batch(network, X, Y, weight, *, solver, alpha, tol, max_iter, max_fun, options, on_iteration=None):
    """Train a network on all samples at once: sets ``network.theta`` to the best point.

    Parameters
    ----------
    network : Network
        Starts from its ``theta``.
    X, Y, weight
        As for ``network.value_grad``.
    solver : str
        One of ``solvers_for(network.loss_name)``.  ``'lbfgs'`` is scikit-learn's, with the tests of scipy's L-BFGS-B;
        ``'saddle-free-newton'`` works on a Krylov space where there are many parameters; ``'dogleg'`` is, with squared
        loss, the one for sums of squares.
    alpha : float
        L2 penalty: alpha / (2 S) ||W||^2 is added to the mean loss, S the sum of the weights.
    tol : float
        The largest component (of trust regions: the norm) of the gradient to reach.
    max_iter, max_fun : int
        Iterations and evaluations at most.
    options : dict or None
        Of the solver, as for :func:`numopt.minimize` or :func:`numopt.least_squares`; with Hessians also
        ``gauss_newton=True``, the positive semidefinite Gauss-Newton matrix in the place of the Hessian.
    on_iteration : callable, optional
        ``on_iteration(theta, loss, gradient_norm)`` after each iteration; StopIteration ends the run.

    Returns
    -------
    FullBatchResult
        After Ctrl-C too, with that status.

    Raises
    ------
    ValueError
        Where the solver can't serve the network.
    """
    check_full_batch(solver, network.loss_name, network.batch_norm)
    squares = network.loss_name == "squared_error" and solver in SQUARES
    name = "l-bfgs-b" if solver == "lbfgs" else solver
    if solver == "saddle-free-newton" and network.n_params > KRYLOV_BEYOND:
        name = "saddle-free-krylov"
    options = _read_options(solver, name, squares, options)
    run = _Run(network, X, Y, weight, alpha, on_iteration)
    try:
        if squares:
            _check_room(network, solver, _residuals(network, X, alpha) * network.n_params)
            result = _least_squares(run, name, tol, max_iter, max_fun, options)
        else:
            result = _minimize(run, solver, METHODS[name], tol, max_iter, max_fun, options)
    except KeyboardInterrupt as error:
        result = getattr(error, "result", None)
        if result is None:  # before the run had begun
            raise
    network.theta[:] = result.x
    loss, status = result.cost if squares else result.fun, result.status
    message, success = result.message, bool(result.success)
    if run.reached:
        status, success = LeastSquaresStatus.GTOL, True
        message = "Converged: no component of the gradient is larger than tol."
    if not math.isfinite(loss):  # a step of nothing is small, and so is a reduction from infinity to infinity
        success, status = False, LeastSquaresStatus.NAN if squares else Status.NAN
        message = "Failed: the loss is NaN or infinite at the first weights. Scale X and y to mean 0 and variance 1."
    return FullBatchResult(
        float(loss), int(result.nit), status, message, success, int(result.nfev), run.losses, run.norms
    )


def _read_options(solver, name, squares, options):
    """The solver's options, their names checked; their values are checked by the front doors."""
    options = dict(options or {})
    if squares:
        known = _SQUARES_OPTIONS
    else:
        row = METHODS[name]
        known = (*defaults(row), *_FRONT_OPTIONS, *(("gauss_newton",) if row.second_order else ()))
    for key in options:
        if key not in known:
            raise ValueError(f"unknown option {key!r} of solver {solver!r}; known are {', '.join(known)}")
    given = options.get("gauss_newton", False)
    if not isinstance(given, (bool, np.bool_)):
        raise TypeError(f"option 'gauss_newton' must be True or False; got {given!r}")
    return options


def _check_room(network, solver, numbers):
    """ValueError where matrices of so many numbers would be too large."""
    if 8 * numbers > _ROOM:
        raise ValueError(
            f"solver={solver!r} with {network.n_params} parameters needs matrices of {8e-9 * numbers:.1f} GB; "
            "'lbfgs', 'cg-pr', 'newton-cg' and 'trust-krylov' need a few vectors"
        )


class _Run:
    """The objective as the front doors see it, and the curves of a run."""

    def __init__(self, network, X, Y, weight, alpha, on_iteration):
        self.network, self.data, self.alpha, self.on_iteration = network, (X, Y, weight), alpha, on_iteration
        self.g = None if network.dtype == np.float64 else np.empty(network.n_params, network.dtype)
        self.recent = {}
        self.losses, self.norms, self.reached = [], [], False

    def value_grad(self, x, g):
        """The objective at x; sets g."""
        self.network.theta[:] = x
        own = g if self.g is None else self.g
        f = self.network.value_grad(*self.data, self.alpha, grad=own)
        if own is not g:
            g[:] = own
        self.recent[f] = math.sqrt(float(g @ g))
        return f

    def after_iteration(self, x, f):
        """Notes an iteration.  The gradient's norm is that noted when f was evaluated, in this iteration."""
        norm = self.recent.get(f)
        if norm is None:
            f = self.value_grad(x, np.empty(x.size))
            norm = self.recent[f]
        self.recent = {f: norm}  # an iteration that takes no step ends where it began
        self.losses.append(f)
        self.norms.append(norm)
        if self.on_iteration is not None:
            self.on_iteration(x, f, norm)


def _minimize(run, solver, row, tol, max_iter, max_fun, options):
    network, hess, hessp = run.network, None, None
    n, gauss_newton = network.n_params, options.pop("gauss_newton", False)
    if row.second_order:
        product = HessianProduct(network, *run.data, run.alpha)
        if row.products:
            v, out = np.empty(n, network.dtype), np.empty(n, network.dtype)

            def hessp(x, p):
                network.theta[:], v[:] = x, p
                product(v, out, gauss_newton=gauss_newton)
                return out
        else:
            if n > _HESSIAN_UP_TO:
                raise ValueError(
                    f"solver={solver!r} reads the whole Hessian, of up to {_HESSIAN_UP_TO} parameters; the network has "
                    f"{n}. 'newton-cg', 'trust-ncg', 'trust-krylov' and 'saddle-free-newton' ask for products only"
                )

            def hess(x):
                network.theta[:] = x
                return product.matrix(gauss_newton)
    else:
        _check_room(network, solver, (row.matrices + 1) * n * n if row.matrices else 0)

    def callback(intermediate_result):
        run.after_iteration(intermediate_result.x, intermediate_result.fun)

    settings = {"gtol": tol, "maxiter": max_iter, "maxfev": max_fun, **options}
    return minimize(
        run.value_grad, network.theta.astype(float), method=row.name, jac="inplace", hess=hess, hessp=hessp,
        callback=callback, options=settings,
    )  # fmt: skip


def _residuals(network, X, alpha):
    """How many: the outputs' for each sample, and the weights where there is a penalty."""
    return X.shape[0] * network.sizes[-1] + (int(network.decayed.sum()) if alpha else 0)


def _least_squares(run, name, tol, max_iter, max_fun, options):
    r"""The objective as half the sum of squares of sqrt(w_i / S) (z_i - y_i) and sqrt(alpha / S) W."""
    network, (X, Y, weight) = run.network, run.data
    n_rows, n = X.shape[0], network.n_params
    total = n_rows if weight is None else float(weight.sum())
    scale = np.full(n_rows, 1.0 / total) if weight is None else weight / total
    scale = np.sqrt(scale)
    jacobian, decayed = OutputJacobian(network, X, scale), np.flatnonzero(network.decayed)
    target, shrink = np.asarray(Y) * scale[:, None], math.sqrt(run.alpha / total)
    k, m = target.size, _residuals(network, X, run.alpha)
    if name == "lm" and m < n:
        raise ValueError(
            f"solver='lm' needs at least as many residuals as parameters; here are {m} and {n}. 'marquardt', "
            "'gauss-newton' and 'trf' take fewer"
        )
    J = np.empty((n_rows, network.sizes[-1], n), network.dtype)
    whole = np.zeros((m, n))
    whole[np.arange(k, m), decayed[: m - k]] = shrink

    def residuals(x):
        network.theta[:] = x
        r = np.empty(m)
        r[:k] = (jacobian() - target).ravel()
        r[k:] = shrink * x[decayed[: m - k]]
        return r

    def jac(x):
        network.theta[:] = x
        jacobian(J)
        whole[:k] = J.reshape(k, n)
        return whole

    def callback(x):
        g = np.empty(n)
        f = run.value_grad(x, g)
        run.after_iteration(x, f)
        if abs(g).max() <= tol:
            run.reached = True
            raise StopIteration

    settings = {key: options.pop(key) for key in ("factor", "geodesic", "accel_max", "max_time") if key in options}
    return least_squares(
        residuals, network.theta.astype(float), jac, method=name, max_nfev=max_fun, callback=callback,
        options={"maxiter": max_iter, **settings}, **options,
    )  # fmt: skip


__all__ = ["FULL_BATCH_SOLVERS", "FullBatchResult", "Status", "check_full_batch", "fit_full_batch", "solvers_for"]
