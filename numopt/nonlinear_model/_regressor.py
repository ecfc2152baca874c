"""NonlinearRegressor: ``curve_fit`` as an estimator of scikit-learn's."""

import warnings

import numpy as np
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from numopt.optimize._curve_fit import curve_fit
from numopt.optimize._fit_input import parameter_names
from numopt.optimize._fit_statistics import mean_variance


class NonlinearRegressor(RegressorMixin, BaseEstimator):
    """A nonlinear model, fitted by least squares.

    Minimises over the parameters p, within bounds::

        sum_i s_i (y_i - model(x_i, *p))^2

    or, with another ``loss``, ``sum_i rho(s_i (y_i - model(x_i, *p))^2)``, s being the weights of the samples.

    Parameters
    ----------
    model : callable
        One of :mod:`numopt.models`, or a function ``model(x, *parameters)``, of Python or compiled by ``numba.njit``.
        x is the column of X if there is one, of shape (n_samples,), and X transposed, of shape
        (n_features, n_samples), if there are more.
    p0 : array-like, dict, callable or None, default=None
        The start: values in the order of the parameters, some of them by name, or ``p0(x, y)`` that returns values.
        None: the model's guess; for a function 1, or what lies within the bounds.
    bounds : (array-like, array-like) or dict, default=(-inf, inf)
        Lower and upper bounds, or pairs of them by name. By default those of the model, if it has any.
    loss : {'linear', 'soft_l1', 'huber', 'cauchy', 'arctan'} or callable, default='linear'
        rho, as in :func:`numopt.least_squares`.
    f_scale : float, default=1.0
        From where residuals, times the roots of their weights, count as outliers.
    jac : callable, {'2-point', '3-point', 'cs'} or None, default=None
        Derivatives ``jac(x, *parameters)``, of shape (n_samples, n_parameters). None: those of the model, else
        differences.
    method : {'lm', 'marquardt', 'gauss-newton'}, default='lm'
    fixed : dict, list of str or None, default=None
        Parameters that are held, at values given or at those of the start.
    tied : dict or None, default=None
        Parameters that are linear expressions of others, ``{'b_sigma': '2 * a_sigma'}``.
    absolute_sigma : bool, default=False
        Whether a weight is one over the variance of the sample; otherwise the variance is estimated, and weights only
        say how samples compare.
    max_nfev : int or None, default=None
        Evaluations of the model at most; None: 100 for each parameter.
    ftol, xtol, gtol : float or None, default=1e-8
        When to stop, as in :func:`numopt.least_squares`.

    Attributes
    ----------
    params_ : dict
        Values by name.
    popt_ : ndarray of shape (n_parameters,)
        The same in the order of the parameters.
    pcov_ : ndarray of shape (n_parameters, n_parameters)
        Their covariance.
    stderr_ : ndarray of shape (n_parameters,)
        Their standard errors.
    fit_result_ : FitResult
        The fit, with its statistics, intervals and reports.
    n_iter_ : int
        Iterations.
    n_features_in_ : int
    feature_names_in_ : ndarray of shape (n_features,)
        Where X has names that are all strings.

    Examples
    --------
    >>> import numpy as np
    >>> from numopt.models import ExponentialDecay
    >>> from numopt.nonlinear_model import NonlinearRegressor
    >>> X = np.linspace(0, 4, 30)[:, None]
    >>> y = 3.0 * np.exp(-0.7 * X[:, 0])
    >>> model = NonlinearRegressor(ExponentialDecay()).fit(X, y)
    >>> round(model.params_['amplitude'], 6), round(model.params_['rate'], 6)
    (3.0, 0.7)
    >>> model.predict([[0.0]]).round(6)
    array([3.])
    """

    def __init__(
        self,
        model,
        p0=None,
        *,
        bounds=(-np.inf, np.inf),
        loss="linear",
        f_scale=1.0,
        jac=None,
        method="lm",
        fixed=None,
        tied=None,
        absolute_sigma=False,
        max_nfev=None,
        ftol=1e-8,
        xtol=1e-8,
        gtol=1e-8,
    ):
        self.model = model
        self.p0 = p0
        self.bounds = bounds
        self.loss = loss
        self.f_scale = f_scale
        self.jac = jac
        self.method = method
        self.fixed = fixed
        self.tied = tied
        self.absolute_sigma = absolute_sigma
        self.max_nfev = max_nfev
        self.ftol = ftol
        self.xtol = xtol
        self.gtol = gtol

    def fit(self, X, y, sample_weight=None):
        """Fit the model.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Samples.
        y : array-like of shape (n_samples,)
            Targets.
        sample_weight : float or array-like of shape (n_samples,), default=None
            Nonnegative weights; zero is as good as leaving the sample out.

        Returns
        -------
        self
        """
        if not callable(self.model):
            raise TypeError(
                "model must be one of numopt.models or a function model(x, *parameters); "
                f"got {self.model!r} of type {type(self.model).__name__}"
            )
        if not isinstance(self.absolute_sigma, (bool, np.bool_)):
            raise ValueError(f"absolute_sigma must be True or False, got {self.absolute_sigma!r}")
        X, y = validate_data(self, X, y, dtype=np.float64, y_numeric=True)
        inputs = getattr(self.model, "inputs", None)
        if inputs is not None and inputs != X.shape[1]:
            raise ValueError(f"{self.model!r} is a model of {inputs} feature{'s' * (inputs > 1)}; X has {X.shape[1]}")
        y, sigma = y.astype(np.float64, copy=False), None
        if sample_weight is not None:
            X, y, sigma = _weighted(X, y, sample_weight)
        x = _predictors(X)
        p0 = self.p0(x, y) if callable(self.p0) else self.p0
        given = None if p0 is None or isinstance(p0, dict) else np.size(p0)
        free = len(set(parameter_names(self.model, given)) - {*(self.fixed or ())} - {*(self.tied or ())})
        if self.method == "lm" and len(y) < free:
            raise ValueError(
                f"method='lm' needs as many samples as free parameters, {free}, got n_samples={len(y)}; "
                "'marquardt' and 'gauss-newton' take fewer"
            )
        try:
            fit = curve_fit(
                self.model, x, y, p0, sigma, self.absolute_sigma, bounds=self.bounds, method=self.method, jac=self.jac,
                fixed=self.fixed, tied=self.tied, loss=self.loss, f_scale=self.f_scale, max_nfev=self.max_nfev,
                ftol=self.ftol, xtol=self.xtol, gtol=self.gtol,
            )  # fmt: skip
        except RuntimeError as error:
            fit = getattr(error, "result", None)
            if fit is None:  # raised by the model
                raise
            warnings.warn(str(error), ConvergenceWarning, stacklevel=2)
        self.fit_result_ = fit
        self.popt_, self.pcov_, self.stderr_ = fit.popt, fit.pcov, fit.stderr
        self.params_, self.n_iter_ = dict(fit.params), int(fit.nit)
        return self

    def predict(self, X, return_std=False):
        """Predict with the fitted model.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Samples.
        return_std : bool, default=False
            Whether to return the standard errors of the predictions too.

        Returns
        -------
        y : ndarray of shape (n_samples,)
            Predicted values.
        std : ndarray of shape (n_samples,)
            Of the model's value, by the covariance of the parameters; the scatter of samples around it is not in it.
        """
        check_is_fitted(self)
        x = _predictors(validate_data(self, X, dtype=np.float64, reset=False))
        y = self.fit_result_.predict(x)
        if not return_std:
            return y
        return y, np.sqrt(mean_variance(self.fit_result_, x)[1])


def _predictors(X):
    """x of the model, from X of the estimator."""
    return np.ascontiguousarray(X[:, 0] if X.shape[1] == 1 else X.T)


def _weighted(X, y, sample_weight):
    """The samples of positive weight, and their standard deviations, up to a factor."""
    given = np.asarray(sample_weight)
    if given.size and given.dtype.kind in "biuf" and not given.any():
        raise ValueError("sample_weight must hold a positive weight; every weight given is zero")
    weights = _check_sample_weight(sample_weight, X, dtype=np.float64)
    if weights.min() < 0:
        raise ValueError(f"sample_weight must not be negative; the least is {weights.min()}")
    keep = weights > 0
    return X[keep], y[keep], 1.0 / np.sqrt(weights[keep])
