"""What classifier and regressor share: checks, the network, the fit, its state."""

from typing import ClassVar

import numpy as np
import scipy.sparse as sp
from sklearn.base import BaseEstimator
from sklearn.model_selection import train_test_split
from sklearn.utils import check_array, check_random_state, column_or_1d
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from numopt.estimators.callbacks import CallbackSupportMixin, Tasks
from numopt.kernels.first_order_slots import RULES
from numopt.network._network import Network
from numopt.neural_network import _parameters as parameters
from numopt.neural_network._all_samples import fit_on_all_samples
from numopt.neural_network._dead_units import dead_units, warn_dead_layers
from numopt.neural_network._initial_weights import initialise
from numopt.neural_network._layerwise import end_before_training, pretrain_layers
from numopt.neural_network._progress import Bar
from numopt.neural_network._run import Run, all_or_nothing, check_fixed, fixed_params, restore, snapshot
from numopt.neural_network._state import load, save
from numopt.neural_network._stochastic import Data, begin_validation, run_epochs, usual_loss
from numopt.optimize._warn import warn

_TYPES = (np.float64, np.float32)
_FORMATS = ("csr", "csc")


def can_fit_partially(model):
    """Whether ``partial_fit`` exists: for stochastic solvers."""
    if model.solver not in RULES:
        raise AttributeError(
            f"partial_fit is only available for stochastic optimizers. {model.solver} is not stochastic."
        )
    return True


class BaseMLP(CallbackSupportMixin, BaseEstimator):
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
        check_array(X_val, accept_sparse=_FORMATS, input_name="X_val")  # an error names it
        Xv, yv = validate_data(
            self, X_val, y_val, accept_sparse=_FORMATS, multi_output=True, dtype=_TYPES, reset=False, **self._y_checks
        )
        Xv = Xv.astype(X.dtype, copy=False)
        if sp.issparse(Xv) != sp.issparse(X):
            Xv = sp.csr_matrix(Xv) if sp.issparse(X) else Xv.toarray()
        return self._rows(Xv), self._encode(yv, X.dtype, "y_val"), None

    # --- the network

    def __sklearn_is_fitted__(self):
        return hasattr(self, "coefs_")

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

    def _shown(self, network):
        """Copies of these as the attributes of an estimator of its own."""
        own = {name: [part.copy() for part in parts] for name, parts in self._parts(network)}
        return own | {"_network": None}

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

    def _check_new(self, X):
        """X as the engine takes it, checked against the samples of the fit."""
        X = validate_data(self, X, accept_sparse=_FORMATS, reset=False)
        return self._rows(X.astype(self._architecture["dtype"], copy=False))

    def _outputs(self, X):
        check_is_fitted(self)
        X = self._check_new(X)
        return self._fitted_network(sp.issparse(X)).predict(X)

    # --- the fit

    def _prepare(self, X, y, sample_weight, X_val, y_val, *, first, mode, classes=None):
        """Checks everything before any work and gives it as the engine takes it.

        ``mode``: 'fit', 'partial' or 'resume'; ``first``: whether the weights are new.
        """
        hidden = parameters.hidden_sizes(self)
        names = parameters.activations(self, hidden)
        parameters.check_together(self, hidden, mode)
        X, y = validate_data(
            self, X, y, accept_sparse=_FORMATS, multi_output=True, dtype=_TYPES, reset=first, **self._y_checks
        )
        if y.ndim == 2 and y.shape[1] == 1 and not sp.issparse(y):
            y = column_or_1d(y, warn=True)
        if not first:  # the order of a trainer's vectors is that of the first call
            X = X.astype(self._architecture["dtype"], copy=False)
            if sp.issparse(X) != self._sparse:
                X = sp.csr_matrix(X) if self._sparse else X.toarray()
        X = self._rows(X)
        weight = self._check_weights(sample_weight, X)
        loss = self._set_targets(y, first, mode, classes)
        Y = self._encode(y, X.dtype)
        given_weight, weight = weight, self._class_weights(y, weight, X.dtype, mode)
        validation = self._check_validation(X, X_val, y_val)
        architecture = {
            "sizes": (X.shape[1], *hidden, self.n_outputs_), "activations": names, "loss": loss, "dtype": X.dtype.name,
            "batch_norm": bool(self.batch_norm), "huber_delta": float(getattr(self, "huber_delta", 1.0)),
        }  # fmt: skip
        if not first and architecture != self._architecture:
            key = next(key for key, value in architecture.items() if value != self._architecture[key])
            raise ValueError(
                f"training can't go on with another architecture: {key} was {self._architecture[key]}, "
                f"now it is {architecture[key]}"
            )
        parameters.check_solver(self, architecture)
        self._architecture, self._sparse = architecture, sp.issparse(X)
        return Data(X, Y, weight, given_weight, validation)

    def _fit(self, X, y, sample_weight=None, X_val=None, y_val=None, classes=None, incremental=False):
        given = X, y, sample_weight
        first = not hasattr(self, "coefs_") or not (self.warm_start or incremental)
        if first:
            self.__dict__.pop("coefs_", None)  # a fit that fails leaves no mixture of the old and the new
        with all_or_nothing(self, in_place=not first):
            data = self._prepare(
                X,
                y,
                sample_weight,
                X_val,
                y_val,
                first=first,
                mode="partial" if incremental else "fit",
                classes=classes,
            )
            rng = check_random_state(self.random_state)
            if first:
                network = self._make_network(self._sparse)
                going_on = self._initialise(network, rng, data)
                self._reset(network)
            else:
                network, going_on = self._fitted_network(self._sparse), True
            tasks = Tasks(self, *given, most=None if incremental else self.max_iter)
            watch = tasks.iterations(lambda network: self._shown(network))
            if going_on:
                self._train(network, data, rng, incremental, watch)
            else:
                end_before_training(self, network, data, rng, incremental)
            self._publish(network)
            if watch is not None:
                watch.close(network)
            if not incremental:
                self.message_ += warn_dead_layers(self, data.X)
            tasks.end()
        return self

    def resume(self, X, y, sample_weight=None, X_val=None, y_val=None):
        """Goes on with a fit that was interrupted or has reached ``max_iter``, as if it had never stopped.

        To the last bit: order of samples, weights and curves are those of a fit that was not interrupted.  For more
        epochs raise ``max_iter`` first, ``model.set_params(max_iter=400).resume(X, y)``.  That is the fit which had
        that ``max_iter`` from the beginning, but for ``learning_rate='cosine'`` without a ``period`` and for
        ``pretrain=True``: there the schedule and the pretraining were those of the first ``max_iter``.  Parameters
        that the fit is built on, of its solver, schedule, batches and early stopping, must be as they were.  An
        exception, of a function among the parameters say, leaves the estimator as it was before.

        Parameters
        ----------
        X, y, sample_weight, X_val, y_val
            What ``fit`` was given.

        Returns
        -------
        self
        """
        check_is_fitted(self)
        self._validate_params()
        run = self._run
        if run is None or self.solver not in RULES:
            raise ValueError(f"resume goes on with fits of stochastic solvers, and solver is {self.solver!r}")
        if self.status_ in ("not_finite", "diverged") or not run.whole:
            raise ValueError("there is nothing to go on from: " + self.message_)
        data = self._prepare(X, y, sample_weight, X_val, y_val, first=False, mode="resume")
        if len(data.Y) != run.n:
            raise ValueError(f"X has {len(data.Y)} samples, but the fit that goes on was given {run.n}")
        if parameters.rule(self) != run.rule:
            raise ValueError(f"solver was one of rule {run.rule!r}, now it is {self.solver!r}: call fit")
        check_fixed(self, run)
        if (data.validation is not None) != run.validated:
            raise ValueError(f"X_val and y_val were {'' if run.validated else 'not '}given to the fit that goes on")
        if self.status_ not in ("converged", "early_stopping", "partial"):
            with all_or_nothing(self, in_place=True):
                network, rng = self._fitted_network(self._sparse), np.random.RandomState()
                rng.set_state(run.random)
                self._go_on(network, data, rng)
                self._publish(network)
        return self

    def _initialise(self, network, rng, data):
        """Draws the initial weights, and pretrains layers where that is asked for; False if Ctrl-C broke that off."""
        means = None
        if self.output_bias == "class_frequencies":
            Y = data.Y if data.Y.ndim == 2 else data.Y[:, None] == np.arange(self.n_outputs_)
            means = np.average(Y, axis=0, weights=data.weight)
        how = self.init, self.init_gain, self.init_nonzero, self.bias_init, self.output_bias, means

        def begin(network):
            initialise(network, rng, *how)

        if self.pretrain and network.activations:
            return pretrain_layers(self, network, data, rng, begin)
        begin(network)
        return True

    def _reset(self, network):
        """Counters and curves as before the first epoch."""
        self.n_iter_, self.t_ = 0, 0
        self.n_layers_ = len(network.sizes)
        self.loss_curve_, self.gradient_norm_curve_, self.learning_rate_curve_ = [], [], []
        self._no_improvement_count = 0
        self.validation_scores_ = self.validation_loss_curve_ = self.best_validation_score_ = None
        self.loss_, self.best_loss_ = np.nan, np.inf
        self._run = None

    def _train(self, network, data, rng, incremental=False, watch=None):
        """By whatever solver."""
        if self.solver in RULES:
            self._begin(network, data, rng, incremental)
            self._go_on(network, data, rng, watch)
        else:
            rows, held_out = self._rows_trained_on(data, rng) if self.early_stopping else (None, None)
            if held_out is not None:
                data.hold_out(held_out)
                data = data.only(rows)
            fit_on_all_samples(self, network, data, watch)

    def _begin(self, network, data, rng, incremental):
        """A run at its first epoch; that of the last call if the fit is ``incremental``."""
        total = len(data.Y)
        rows, held_out = self._rows_trained_on(data, rng)
        n = total if rows is None else len(rows)
        size = min(200, n) if self.batch_size == "auto" else self.batch_size
        if size > n:
            warn("Got `batch_size` less than 1 or larger than sample size. It is going to be clipped", UserWarning)
            size = n
        rule, run = parameters.rule(self), self._run
        if incremental and run is not None and run.rule == rule:
            run.begin(total, rows, size)
        else:
            options = parameters.trainer_options(self, rule, -(-n // size))
            run = self._run = Run(rule, options, network.n_params, network.dtype, total, rows, held_out, size)
            if parameters.dropout(self, network.sizes[1:-1]):
                run.seed = int(rng.randint(2**31 - 1))
        run.start = run.best = snapshot(network)
        run.best_epoch, run.usual_loss = 0, usual_loss(self, network, data, size)
        run.params = fixed_params(self)
        run.single, run.validated = incremental, data.validation is not None
        self.n_iter_ = 0
        self.best_loss_ = None if self.early_stopping else np.inf if self.best_loss_ is None else self.best_loss_
        begin_validation(self, self.early_stopping or data.validation is not None)

    def _go_on(self, network, data, rng, watch=None):
        """Trains from where the run stands; the network shows the best or averaged weights where asked for."""
        run = self._run
        if run.held_out is not None:
            data.hold_out(run.held_out)
        if run.raw is not None:
            restore(network, run.raw)
            run.raw = None
        shares = parameters.dropout(self, network.sizes[1:-1])
        with Bar(self) as bar:
            self.status_, self.message_ = run_epochs(self, network, data, run, rng, shares, bar, watch)
        run.random = rng.get_state()
        mean = run.averaged()
        if self.status_ not in ("not_finite", "diverged") and (self.early_stopping or mean is not None):
            run.raw = snapshot(network)
            restore(network, run.best if self.early_stopping else snapshot(network, mean))

    def _rows_trained_on(self, data, rng):
        """Rows to train on (None: all) and rows to validate on, or None where none are split off."""
        rows = None
        if data.weight is not None and not data.weight.all():
            rows = np.flatnonzero(data.weight)  # a weight of zero is as good as leaving the sample out
        if not self.early_stopping or data.validation is not None:
            return rows, None
        rows = np.arange(len(data.Y)) if rows is None else rows
        stratify = data.Y[rows, 0] if self._stratified else None
        train, held_out = train_test_split(
            rows, random_state=rng, test_size=self.validation_fraction, stratify=stratify
        )
        if len(held_out) < 2:
            raise ValueError(
                "The validation set is too small. Increase 'validation_fraction' or the size of your dataset."
            )
        return train, held_out

    def dead_units(self, X):
        """Hidden units of relu that no sample activates: they pass no gradient on, and do not learn any more.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)

        Returns
        -------
        list of ndarray of int
            For each hidden layer the numbers of its dead units.
        """
        check_is_fitted(self)
        return dead_units(self, self._check_new(X))

    # --- files

    def save(self, path):
        """Write the estimator to a file of plain arrays, in the middle of training too; see :meth:`resume`.

        Parameters
        ----------
        path : str or path-like
            A ``.npz``.  A file that is there is replaced only when the new one is complete.  Functions among the
            parameters are not written; :meth:`load` asks for them.
        """
        check_is_fitted(self)
        save(self, path)

    @classmethod
    def load(cls, path, **params):
        """The estimator that :meth:`save` wrote.

        Parameters
        ----------
        path : str or path-like
        **params
            Parameters that replace those in the file: functions, which it does not hold, or others.

        Returns
        -------
        estimator
        """
        return load(cls, path, params)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags
