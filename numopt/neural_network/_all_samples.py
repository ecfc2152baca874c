"""Fits by solvers that see all samples at once."""

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from numopt.neural_network._progress import Bar
from numopt.neural_network._run import restore, snapshot
from numopt.neural_network._stochastic import begin_validation, no_improvement, validate
from numopt.optimize._warn import warn


def fit_on_all_samples(model, network, data, watch=None):
    """All samples at once, by numopt.minimize or least_squares."""
    from numopt.neural_network._full_batch import fit_full_batch

    validated, best = data.validation is not None, snapshot(network)
    model._run, model.n_iter_ = None, 0
    begin_validation(model, validated)

    def on_iteration(theta, loss, gradient_norm):
        nonlocal best
        model.n_iter_, model.loss_ = model.n_iter_ + 1, loss / model._loss_outputs
        if model.verbose:
            print(f"Iteration {model.n_iter_}, loss = {model.loss_:.8f}")
        network.theta[:] = theta
        if validated and validate(model, network, data.validation):
            best = snapshot(network)
        bar.update()
        stop = model.early_stopping and validated and model._no_improvement_count > model.n_iter_no_change
        if stop or (watch is not None and watch(network)):
            raise StopIteration

    with Bar(model) as bar:
        result = fit_full_batch(
            network, data.X, data.Y, data.weight, solver=model.solver, alpha=model.alpha, tol=model.tol,
            max_iter=model.max_iter, max_fun=model.max_fun, options=model.solver_params or {},
            on_iteration=on_iteration if validated or model.verbose or model.progress or watch else None,
        )  # fmt: skip
    model.loss_, model.n_iter_ = result.loss / model._loss_outputs, result.n_iter
    model.loss_curve_ += [loss / model._loss_outputs for loss in result.loss_curve]
    model.gradient_norm_curve_ += list(result.gradient_norm_curve)
    model.best_loss_ = min(np.inf if model.best_loss_ is None else model.best_loss_, model.loss_)
    model.status_, model.message_ = getattr(result.status, "name", str(result.status)).lower(), result.message
    if model.early_stopping and validated:
        restore(network, best)
        if model.status_ == "callback":
            model.status_, model.message_ = "early_stopping", no_improvement(model)
    elif not result.success and model.status_ != "callback":
        warn(
            f"{model.solver} failed to converge after {result.n_iter} iteration(s): {result.message} Increase "
            "max_iter or max_fun, or scale the data.",
            ConvergenceWarning,
        )
