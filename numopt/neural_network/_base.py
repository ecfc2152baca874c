"""What classifier and regressor share: checks, the network, the fit, its state."""

import warnings
from typing import ClassVar

import numpy as np
import scipy.sparse as sp
from sklearn.base import BaseEstimator
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from sklearn.utils import check_random_state, column_or_1d
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from numopt.kernels.first_order_slots import RULES
from numopt.network._network import Network
from numopt.neural_network import _parameters as parameters
from numopt.neural_network._run import Run, restore, snapshot
from numopt.neural_network._stochastic import Data, run_epochs

_TYPES = (np.float64, np.float32)
_FORMATS = ("csr", "csc")


def can_fit_partially(model):
    """Whether ``partial_fit`` exists: for stochastic solvers."""
    if model.solver not in RULES:
        raise AttributeError(
            f"partial_fit is only available for stochastic optimizers. {model.solver} is not stochastic."
        )
    return True


class BaseMLP(BaseEstimator):
    """A multilayer perceptron; ``_encode`` and ``_validation_score`` come from the kind of estimator."""

    _parameter_constraints: ClassVar[dict] = parameters.CONSTRAINTS

    # --- checks

    def _rows(self, X):
        """X as the engine takes it."""
        if sp.issparse(X):
            return sp.csr_matrix(X)
        return np.ascontiguousarray(X)

    def _check_weights(self, sample_weight, X):
        if sample_weight is None:
            return None
        weight = _check_sample_weight(sample_weight, X, dtype=X.dtype)
        if weight.min() < 0 or not weight.any():
            raise ValueError(
                "sample_weight must hold weights that are zero or positive, and not all of them zero; "
                f"the least is {weight.min()}, the largest {weight.max()}"
            )
        return weight

    def _check_validation(self, X, X_val, y_val):
        if X_val is None and y_val is None:
            return None
        if X_val is None or y_val is None:
            raise ValueError("X_val and y_val go together, but only one of them was given")
        width = np.shape(X_val)[1] if len(np.shape(X_val)) == 2 else None
        if width is not None and width != X.shape[1]:
            raise ValueError(f"X_val has {width} features, but X has {X.shape[1]}")
        Xv, yv = validate_data(
            self, X_val, y_val, accept_sparse=_FORMATS, multi_output=True, dtype=_TYPES, reset=False, **self._y_checks
        )
        Xv = Xv.astype(X.dtype, copy=False)
        if sp.issparse(Xv) != sp.issparse(X):
            Xv = sp.csr_matrix(Xv) if sp.issparse(X) else Xv.toarray()
        return self._rows(Xv), self._encode(yv, X.dtype, "y_val"), None

    # --- the network

    def _make_network(self, sparse):
        return Network(**self._architecture, sparse=sparse, n_threads=self.n_threads)

    def _parts(self, network):
        """The attributes that hold parts of a network, and these parts."""
        yield "coefs_", network.weights
        yield "intercepts_", network.intercepts
        if network.batch_norm:
            yield "gammas_", network.gammas
            yield "running_mean_", network.running_mean
            yield "running_var_", network.running_var

    def _publish(self, network):
        self._network = network
        for name, parts in self._parts(network):
            setattr(self, name, list(parts))

    def _fitted_network(self, sparse):
        """The network with what the attributes hold now; a new one after unpickling or for X of another kind."""
        network = self.__dict__.get("_network")
        if network is None or network.sparse != sparse:
            network = self._make_network(sparse)
        for name, parts in self._parts(network):
            for mine, part in zip(getattr(self, name), parts, strict=True):
                if mine is not part:
                    part[...] = mine
        return network

    def __getstate__(self):
        state = super().__getstate__()
        return {key: value for key, value in state.items() if key != "_network"}

    def _outputs(self, X):
        check_is_fitted(self)
        X = validate_data(self, X, accept_sparse=_FORMATS, reset=False)
        X = self._rows(X.astype(self._architecture["dtype"], copy=False))
        return self._fitted_network(sp.issparse(X)).predict(X)

    # --- the fit

    def _prepare(self, X, y, sample_weight, X_val, y_val, *, first, classes=None, incremental=False):
        """Checks everything; sets the architecture.  (X, Y, weight, validation, y)"""
        hidden = parameters.hidden_sizes(self)
        names = parameters.activations(self, hidden)
        parameters.dropout(self, hidden)
        self._stochastic = parameters.is_stochastic(self)
        parameters.check_together(self, incremental)
        X, y = validate_data(
            self, X, y, accept_sparse=_FORMATS, multi_output=True, dtype=_TYPES, reset=first, **self._y_checks
        )
        if y.ndim == 2 and y.shape[1] == 1 and not sp.issparse(y):
            y = column_or_1d(y, warn=True)
        dtype = X.dtype if first else np.dtype(self._architecture["dtype"])
        if not first:
            network = self.__dict__.get("_network")
            sparse = sp.issparse(X) if network is None else network.sparse
            X = X.astype(dtype, copy=False)
            if sp.issparse(X) != sparse:
                X = sp.csr_matrix(X) if sparse else X.toarray()
        X = self._rows(X)
        weight = self._check_weights(sample_weight, X)
        loss = self._set_targets(y, first, classes, incremental)
        Y = self._encode(y, X.dtype)
        weight = self._class_weights(y, weight, incremental)
        validation = self._check_validation(X, X_val, y_val)
        sizes = (X.shape[1], *hidden, self.n_outputs_)
        architecture = {
            "sizes": sizes, "activations": names, "loss": loss, "dtype": X.dtype.name, "batch_norm": self.batch_norm,
            "huber_delta": getattr(self, "huber_delta", 1.0),
        }  # fmt: skip
        if not first and architecture != self._architecture:
            changed = [key for key, value in architecture.items() if value != self._architecture[key]]
            raise ValueError(
                f"training can't go on with another architecture: {', '.join(changed)} changed, from "
                f"{[self._architecture[k] for k in changed]} to {[architecture[k] for k in changed]}"
            )
        parameters.check_solver(self, loss, sizes)
        self._architecture = architecture
        return X, Y, weight, validation

    def _fit(self, X, y, sample_weight=None, X_val=None, y_val=None, classes=None, incremental=False):
        first = not hasattr(self, "coefs_") or not (self.warm_start or incremental)
        X, Y, weight, validation = self._prepare(
            X, y, sample_weight, X_val, y_val, first=first, classes=classes, incremental=incremental
        )
        rng = check_random_state(self.random_state)
        if first:
            network = self._make_network(sp.issparse(X))
            self._initialise(network, rng, Y, weight)
            self._reset(network)
        else:
            network = self._fitted_network(sp.issparse(X))
        if self._stochastic:
            self._fit_stochastic(network, X, Y, weight, validation, rng, incremental)
        else:
            self._fit_full_batch(network, X, Y, weight, validation)
        self._publish(network)
        return self

    def _initialise(self, network, rng, Y, weight):
        for W, b in zip(network.weights, network.intercepts, strict=True):
            s = np.sqrt((2.0 if self.activation == "logistic" else 6.0) / sum(W.shape))
            W[...] = rng.uniform(-s, s, W.shape)
            b[:] = rng.uniform(-s, s, len(b))

    def _reset(self, network):
        """Counters and curves as before the first epoch."""
        self.n_iter_, self.t_ = 0, 0
        self.n_layers_ = len(network.sizes)
        self.loss_curve_, self.gradient_norm_curve_, self.learning_rate_curve_ = [], [], []
        self._no_improvement_count = 0
        self.validation_scores_ = self.validation_loss_curve_ = self.best_validation_score_ = None
        self.best_loss_ = np.inf
        self._run = None

    def _fit_stochastic(self, network, X, Y, weight, validation, rng, incremental):
        rows = None
        if weight is not None and not weight.all():  # a weight of zero is as good as leaving the sample out
            rows = np.flatnonzero(weight)
        held_out = None
        if self.early_stopping and validation is None:
            rows, held_out = self._split(len(Y), rows, Y, rng)
        n = len(Y) if rows is None else len(rows)
        size = min(200, n) if self.batch_size == "auto" else self.batch_size
        if size > n:
            warnings.warn(
                "Got `batch_size` less than 1 or larger than sample size. It is going to be clipped", stacklevel=4
            )
            size = n
        run = self._run if incremental else None
        if run is None:
            rule, options = parameters.trainer_options(self, -(-n // size))
            run = Run(rule, options, network.n_params, network.dtype, len(Y), rows, held_out, size)
            if any(network.sizes[1:-1]) and parameters.dropout(self, network.sizes[1:-1]):
                run.seed = int(rng.randint(2**31 - 1))
            run.best = snapshot(network)
            self._run = run
        else:
            run.begin(len(Y), rows, size)
        self.n_iter_ = 0
        if self.early_stopping:
            self.best_loss_ = None
        if self.early_stopping or validation is not None:
            if self.validation_scores_ is None:
                self.validation_scores_, self.validation_loss_curve_ = [], []
                self.best_validation_score_ = -np.inf
        self._go_on(network, Data(X, Y, weight, validation), rng, incremental)

    def _go_on(self, network, data, rng, incremental=False):
        """Trains from where the run stands."""
        run = self._run
        if run.held_out is not None:
            held = run.held_out
            data.validation = data.X[held], data.Y[held], None if data.weight is None else data.weight[held]
        if run.raw is not None:
            restore(network, run.raw)
            run.raw = None
        shares = parameters.dropout(self, network.sizes[1:-1])
        self.status_, self.message_ = run_epochs(self, network, data, run, rng, shares, incremental)
        run.random = rng.get_state()
        if self.status_ == "not_finite":
            return
        mean = run.averaged()
        if self.early_stopping or mean is not None:
            run.raw = snapshot(network)
            restore(network, run.best if self.early_stopping else snapshot(network, mean))

    def _split(self, n, rows, Y, rng):
        """Rows to train on and rows to validate on."""
        rows = np.arange(n) if rows is None else rows
        stratify = Y[rows, 0] if self._stratified else None
        train, held_out = train_test_split(
            rows, random_state=rng, test_size=self.validation_fraction, stratify=stratify
        )
        if len(held_out) < 2:
            raise ValueError(
                "The validation set is too small. Increase 'validation_fraction' or the size of your dataset."
            )
        return train, held_out

    def _fit_full_batch(self, network, X, Y, weight, validation):
        from numopt.neural_network._full_batch import fit_full_batch

        result = fit_full_batch(
            network, X, Y, weight, solver=self.solver, alpha=self.alpha, tol=self.tol, max_iter=self.max_iter,
            max_fun=self.max_fun, options=self.solver_params or {},
        )  # fmt: skip
        self.loss_ = result.loss / self._loss_outputs
        self.n_iter_ = result.n_iter
        self.loss_curve_ += [loss / self._loss_outputs for loss in result.loss_curve]
        self.gradient_norm_curve_ += list(result.gradient_norm_curve)
        self.best_loss_ = min(self.best_loss_ or np.inf, self.loss_)
        self.status_, self.message_ = getattr(result.status, "name", str(result.status)).lower(), result.message
        if not result.success:
            warnings.warn(
                f"{self.solver} failed to converge after {result.n_iter} iteration(s): {result.message} Increase "
                "max_iter or max_fun, or scale the data.", ConvergenceWarning, stacklevel=5,
            )  # fmt: skip

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags
