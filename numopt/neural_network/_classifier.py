"""MLPClassifier: a multilayer perceptron for classes."""

from typing import ClassVar

import numpy as np
from sklearn.base import ClassifierMixin, _fit_context
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.class_weight import compute_sample_weight
from sklearn.utils.metaestimators import available_if

from numopt.neural_network._base import BaseMLP, can_fit_partially
from numopt.neural_network._parameters import CONSTRAINTS
from numopt.neural_network._targets import Labels


class MLPClassifier(ClassifierMixin, BaseMLP):
    """Multilayer perceptron classifier, in scikit-learn's place.

    Minimises the cross-entropy of a softmax (several classes) or of logistic outputs (two classes, or several labels),
    plus ``(alpha / 2 ||W||^2 + alpha_l1 ||W||_1) / n``.  With the same ``random_state`` it begins with scikit-learn's
    weights and takes the batches in scikit-learn's order.

    Parameters
    ----------
    hidden_layer_sizes : int or array-like of int, default=(100,)
        Units of each hidden layer.
    activation : str or array-like of str, default='relu'
        ``'identity'``, ``'logistic'``, ``'tanh'``, ``'relu'``, ``'leaky_relu'`` (slope 0.01), ``'elu'``,
        ``'softplus'`` or ``'gelu'``; one for all hidden layers, or one for each.
    solver : str, default='adam'
        Stochastic: ``'sgd'`` (scikit-learn's, with ``momentum`` and ``nesterovs_momentum``), ``'momentum'``,
        ``'nesterov'``, ``'adagrad'``, ``'adadelta'``, ``'rmsprop'``, ``'rmsprop-nesterov'``, ``'adam'``, ``'adamw'``,
        ``'adamax'``, ``'nadam'``, ``'amsgrad'``, ``'delta-bar-delta'``.  On all samples at once: methods of
        :func:`numopt.minimize` that read gradients (``'lbfgs'``, ``'bfgs'``, ``'cg-pr'``, ``'gd'``, ``'newton-cg'``,
        ...).  ``'adadelta'`` wants ``learning_rate_init=1.0`` and ``epsilon=1e-6``.
    alpha : float, default=0.0001
        Strength of the L2 penalty; divided by the number of samples, or the sum of their weights, as the loss is.
    batch_size : int or 'auto', default='auto'
        Samples of a minibatch; ``'auto'``: 200, or all if they are fewer.
    learning_rate : str or callable, default='constant'
        Schedule.  ``'constant'``, ``'invscaling'``, ``'adaptive'`` are scikit-learn's; the last two have no effect on
        ``'adam'``, as there.  ``'inverse-time'``: 1 / (1 + kappa t), ``'step'``: drop every ``drop_every`` epochs,
        ``'exponential'``: gamma^t, ``'cosine'``: down to ``lr_min`` in ``period`` epochs, t in epochs; or a function
        of the number of epochs done that gives the learning rate.
    learning_rate_init : float, default=0.001
        Learning rate at the beginning.
    power_t : float, default=0.5
        Exponent of ``'invscaling'``.
    max_iter : int, default=200
        Epochs, or iterations, at most.
    shuffle : bool, default=True
        Whether each epoch takes the samples in a new order.
    random_state : int, RandomState instance or None, default=None
        Of initial weights, the split for early stopping, the order of samples, dropout.  The same numbers are drawn as
        in scikit-learn.
    tol : float, default=1e-4
        Training ends when the loss, or the validation score with ``early_stopping``, has not improved by ``tol`` for
        more than ``n_iter_no_change`` epochs.  On all samples: bound for the gradient's largest entry.
    verbose : bool, default=False
        Whether to print the loss of each epoch.
    warm_start : bool, default=False
        Start from the weights of the fit before.
    momentum : float, default=0.9
        Of ``'sgd'``, ``'momentum'``, ``'nesterov'``, ``'rmsprop-nesterov'``.
    nesterovs_momentum : bool, default=True
        Whether the momentum of ``'sgd'`` is Nesterov's.
    early_stopping : bool, default=False
        Whether to stop by the score on a validation set, ``X_val`` if that is given to ``fit``, else a part of the
        samples that is split off; the weights with the best score are kept.
    validation_fraction : float, default=0.1
        That part.
    beta_1, beta_2 : float, default=0.9 and 0.999
        Decay of the averages of gradients and of their squares in Adam and its kin.
    epsilon : float, default=1e-8
        What keeps denominators from zero in adaptive solvers.
    n_iter_no_change : int, default=10
        See ``tol``.
    max_fun : int, default=15000
        Evaluations at most, of solvers that see all samples at once.
    alpha_l1 : float, default=0.0
        Strength of an L1 penalty, likewise.
    class_weight : dict, list of dict, 'balanced' or None, default=None
        Weights of the classes, by label; a list for several labels.  ``'balanced'``: n / (classes * count).
    init : str or callable, default='auto'
        Initial weights: ``'auto'`` (scikit-learn's), ``'glorot_uniform'``, ``'glorot_normal'``, ``'he_uniform'``,
        ``'he_normal'``, ``'orthogonal'``, ``'sparse'`` (``init_nonzero`` inputs a unit), or a function
        ``(fan_in, fan_out, layer, random_state)`` that gives an array (fan_in, fan_out).
    init_gain : float, default=1.0
        Factor of the initial weights.
    init_nonzero : int, default=15
        Of ``init='sparse'``.
    bias_init : str or float, default='auto'
        ``'auto'`` (as scikit-learn), ``'zeros'``, ``'small_positive'`` (0.1 in hidden layers of relu) or a number.
    output_bias : {'auto', 'class_frequencies'}, default='auto'
        ``'class_frequencies'``: biases with which the outputs begin at the class frequencies.
    batch_norm : bool, default=False
        Whether hidden layers are normalized over the batch, at prediction over running statistics.
    dropout : float or array-like of float, default=0.0
        Probability that a hidden unit is dropped in training; one for all hidden layers, or one for each.
    clip_norm, clip_value : float or None, default=None
        Longest gradient, largest entry of a gradient.
    averaging : {'plain', 'exponential'} or None, default=None
        Polyak averaging: predictions take the mean of the weights of all updates, or an exponential mean.
    pretrain : bool, default=False
        Whether hidden layers are first trained one after the other, each under an output layer of its own.
    schedule_params : dict or None, default=None
        ``kappa``, ``drop``, ``drop_every``, ``gamma``, ``period``, ``lr_min`` of the schedules, and ``warmup``:
        epochs in which the learning rate rises from zero.
    solver_params : dict or None, default=None
        ``rho``, ``weight_decay``, ``gain_up``, ``gain_down`` of stochastic solvers; ``average_decay``,
        ``average_start`` (epochs) of averaging; options of :func:`numopt.minimize` for the others.
    progress : bool, default=False
        Whether to show a bar.
    n_threads : int or None, default=None
        Threads at most; None: as many as are free.  The result does not depend on it.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
    coefs_, intercepts_ : list of ndarray
        Weights (fan_in, fan_out) and biases (fan_out,) of each layer.
    gammas_, running_mean_, running_var_ : list of ndarray
        Of the hidden layers, with ``batch_norm``; ``intercepts_`` then holds their betas.
    loss_, best_loss_ : float
        Loss of the last epoch, with penalties, and the least (None with ``early_stopping``).
    loss_curve_, gradient_norm_curve_, learning_rate_curve_ : list of float
        Mean loss over the batches of each epoch, root of their mean squared gradient norm, learning rate.
    validation_scores_, validation_loss_curve_ : list of float or None
        Accuracy and loss on the validation set after each epoch, where there is one.
    best_validation_score_ : float or None
    n_iter_, t_ : int
        Epochs (iterations) of the last fit; samples seen.
    status_, message_ : str
        Why training ended: ``'converged'``, ``'early_stopping'``, ``'max_iter'``, ``'not_finite'``,
        ``'interrupted'``, ``'callback'``, or the status of the full-batch solver, in lower case.
    n_layers_, n_outputs_ : int
    out_activation_ : str
    n_features_in_ : int
    feature_names_in_ : ndarray of str
        Where X has names that are all strings.

    See Also
    --------
    MLPRegressor : The same for numbers.

    References
    ----------
    D. E. Rumelhart, G. E. Hinton, R. J. Williams, Learning representations by back-propagating errors, Nature 323
    (1986), 533-536; I. Goodfellow, Y. Bengio, A. Courville, Deep Learning, MIT Press 2016, chapters 6 to 8.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.preprocessing import StandardScaler
    >>> from numopt.neural_network import MLPClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> X = StandardScaler().fit_transform(X)
    >>> model = MLPClassifier((10,), learning_rate_init=0.02, max_iter=300, random_state=0).fit(X, y)
    >>> model.predict(X[:2]), model.score(X, y) > 0.95
    (array([0, 0]), True)
    """

    _parameter_constraints: ClassVar[dict] = {
        **CONSTRAINTS,
        "class_weight": [dict, list, StrOptions({"balanced"}), None],
    }
    _y_checks: ClassVar[dict] = {}
    _loss_outputs = 1

    def __init__(
        self,
        hidden_layer_sizes=(100,),
        activation="relu",
        *,
        solver="adam",
        alpha=0.0001,
        batch_size="auto",
        learning_rate="constant",
        learning_rate_init=0.001,
        power_t=0.5,
        max_iter=200,
        shuffle=True,
        random_state=None,
        tol=1e-4,
        verbose=False,
        warm_start=False,
        momentum=0.9,
        nesterovs_momentum=True,
        early_stopping=False,
        validation_fraction=0.1,
        beta_1=0.9,
        beta_2=0.999,
        epsilon=1e-8,
        n_iter_no_change=10,
        max_fun=15000,
        alpha_l1=0.0,
        class_weight=None,
        init="auto",
        init_gain=1.0,
        init_nonzero=15,
        bias_init="auto",
        output_bias="auto",
        batch_norm=False,
        dropout=0.0,
        clip_norm=None,
        clip_value=None,
        averaging=None,
        pretrain=False,
        schedule_params=None,
        solver_params=None,
        progress=False,
        n_threads=None,
    ):
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.solver = solver
        self.alpha = alpha
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.learning_rate_init = learning_rate_init
        self.power_t = power_t
        self.max_iter = max_iter
        self.shuffle = shuffle
        self.random_state = random_state
        self.tol = tol
        self.verbose = verbose
        self.warm_start = warm_start
        self.momentum = momentum
        self.nesterovs_momentum = nesterovs_momentum
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon
        self.n_iter_no_change = n_iter_no_change
        self.max_fun = max_fun
        self.alpha_l1 = alpha_l1
        self.class_weight = class_weight
        self.init = init
        self.init_gain = init_gain
        self.init_nonzero = init_nonzero
        self.bias_init = bias_init
        self.output_bias = output_bias
        self.batch_norm = batch_norm
        self.dropout = dropout
        self.clip_norm = clip_norm
        self.clip_value = clip_value
        self.averaging = averaging
        self.pretrain = pretrain
        self.schedule_params = schedule_params
        self.solver_params = solver_params
        self.progress = progress
        self.n_threads = n_threads

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y, sample_weight=None, X_val=None, y_val=None):
        """Fit the model.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Samples; float32 or float64, in which the network is trained.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Classes: numbers or strings; columns of 0 and 1 for several labels.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights, zero or positive; zero is as good as leaving the sample out.
        X_val, y_val : array-like, default=None
            A validation set: for ``early_stopping``, and for ``validation_scores_`` and ``validation_loss_curve_``.

        Returns
        -------
        self
        """
        return self._fit(X, y, sample_weight, X_val, y_val)

    @available_if(can_fit_partially)
    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X, y, sample_weight=None, classes=None):
        """One epoch over the samples given, from where the last call stopped.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Samples; float32 or float64, in which the network is trained.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Classes: numbers or strings; columns of 0 and 1 for several labels.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights, zero or positive; zero is as good as leaving the sample out.
        classes : array-like of shape (n_classes,), default=None
            All classes that will come, at the first call.

        Returns
        -------
        self
        """
        fitted = hasattr(self, "coefs_")
        if classes is None and not fitted:
            raise ValueError("classes must be passed on the first call to partial_fit.")
        if classes is not None and fitted and not np.array_equal(self.classes_, np.unique(classes)):
            raise ValueError(
                f"`classes={classes!r}` is not the same as on last call to partial_fit, was: {self.classes_!r}"
            )
        return self._fit(X, y, sample_weight, classes=classes, incremental=True)

    def predict(self, X):
        """The most probable class of each sample, or its labels.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_labels)
        """
        P = self._outputs(X)
        return self._labels.decode(P)

    def predict_proba(self, X):
        """Probabilities of the classes, in the order of ``classes_``.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
        """
        P = self._outputs(X)
        return np.hstack([1 - P, P]) if self._labels.kind == "binary" else P

    def predict_log_proba(self, X):
        """Logarithms of these.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
        """
        with np.errstate(divide="ignore"):
            return np.log(self.predict_proba(X))

    # --- what the base class asks for

    def _set_targets(self, y, first, mode, classes=None):
        if first:
            self._labels = Labels.of(y, classes)
            self.classes_ = self._labels.classes
            self.n_outputs_ = self._labels.n_outputs
            self.out_activation_ = "softmax" if self._labels.kind == "multiclass" else "logistic"
        elif mode == "fit":
            self._labels.check_same(y)
        return self._labels.loss

    def _encode(self, y, dtype, name="y"):
        return self._labels.encode(y, dtype, name)

    def _class_weights(self, y, weight, dtype, mode):
        if self.class_weight is None:
            return weight
        if mode == "partial" and isinstance(self.class_weight, str):
            raise ValueError(
                "class_weight='balanced' can't be used with partial_fit, which does not know how many samples of each "
                "class will come; give a dict of weights, or sample_weight"
            )
        own = compute_sample_weight(self.class_weight, y)
        own = (own if weight is None else own * weight).astype(dtype)
        if not own.min() >= 0 or not own.any():
            raise ValueError(f"class_weight must give weights >= 0, not all of them zero, got {self.class_weight!r}")
        return own

    @property
    def _stratified(self):
        return self._labels.kind == "binary"  # as in scikit-learn

    def _validation_score(self, P, Y, weight):
        return self._labels.accuracy(P, Y, weight)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags
