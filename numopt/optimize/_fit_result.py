"""``FitResult``: what ``curve_fit`` returns, a tuple as scipy's that can be read as a fit."""

import pickle
from functools import cached_property

import numpy as np

from numopt.optimize import _fit_profile as intervals
from numopt.optimize import _fit_report as reports
from numopt.optimize import _fit_statistics as formulas
from numopt.optimize._warn import warn


class FitResult(formulas.Statistics, tuple):
    r"""What :func:`numopt.curve_fit` returns: scipy's tuple, and the fit itself to read.

    It unpacks as scipy's result does: ``popt, pcov = curve_fit(...)``, with ``full_output`` also
    ``infodict, mesg, ier``.  ``print(fit)`` shows the report, a notebook shows it as a table.

    Attributes
    ----------
    names : tuple of str
        The parameters.
    popt : ndarray, shape (n,)
        Their values; ``params`` maps names to them.
    pcov : ndarray, shape (n, n)
        Their covariance.
    x, y, sigma
        The data, and their standard deviations (m,) or covariance (m, m), or None.
    absolute_sigma : bool
        Whether sigma is meant as it stands; otherwise up to a factor, which is estimated.
    likelihood : {'gaussian', 'poisson'}
    loss, f_scale
        The robust loss, and where it begins.
    cost : float
        Half the sum of the squares (with the loss in it), or half the deviance of counts.
    lower, upper : ndarray, shape (n,)
        Bounds.
    fixed : ndarray of bool, shape (n,)
        Which parameters were held.
    tied : dict
        Name to expression of those that follow from others.
    active_mask : ndarray of int, shape (n,)
        -1 for a parameter at its lower bound, 1 at its upper, else 0.
    multipliers : list or dict of ndarray
        With constraints, the derivatives of the least cost by the limits of each, 0 where a row is not active.
    constr_violation : float
        The largest violation of a constraint.
    n_active : int
        How many independent rows of the constraints hold with equality: each gives a degree of freedom back.
    nfev, njev, nit : int
        Evaluations of the model and of its Jacobian, iterations.
    status, message, success
        Why the run ended.
    method, model_name : str
    model, jacobian, refit : callable
        ``model(x, *params)``, ``jacobian(x, params)``, ``refit(fixed, start)``.

    Notes
    -----
    m observations, k estimated parameters (those at a bound counted, fixed and tied ones not), w the residuals over
    sigma.  The log-likelihood, with sigma taken as it stands (``absolute_sigma``), with a factor of sigma estimated,
    and of counts:

    .. math::

        \ln L &= -\tfrac12 \textstyle\sum w_i^2 - \sum \ln \sigma_i - \tfrac m2 \ln 2\pi                  \quad (1) \\
        \ln L &= -\tfrac m2 (\ln(\textstyle\sum w_i^2 / m) + 1) - \sum \ln\sigma_i - \tfrac m2 \ln 2\pi   \quad (2) \\
        \ln L &= \textstyle\sum (y_i \ln f_i - f_i - \ln y_i!)                                            \quad (3)

    With (2) the factor is one more parameter: p = k + 1, otherwise p = k.  These are the definitions of R (``logLik``,
    ``AIC`` and ``BIC`` of an ``nls``); lmfit leaves the constants and the factor out: its numbers differ, by the same
    amount for all models of the same data.  With a robust loss there is no likelihood, and they are NaN.

    Pickles of a fit hold its functions as far as they can be pickled (those of modules can, lambdas can't); what can't
    is left out, with a warning, and the numbers are kept.

    Examples
    --------
    >>> import numpy as np
    >>> import numopt
    >>> x = np.array([0.02, 0.02, 0.06, 0.06, 0.11, 0.11, 0.22, 0.22, 0.56, 0.56, 1.1, 1.1])
    >>> y = np.array([76, 47, 97, 107, 123, 139, 159, 152, 191, 201, 207, 200.0])
    >>> fit = numopt.curve_fit(lambda x, vmax, k: vmax * x / (k + x), x, y, p0=[200.0, 0.1])
    >>> popt, pcov = fit
    >>> round(fit.params['vmax'], 1), fit.stderr.round(3).tolist(), fit.dof
    (212.7, [6.947, 0.008], 10)
    >>> low, high = fit.confidence_intervals()['vmax']
    >>> round(low, 1), round(high, 1)
    (197.3, 229.3)
    >>> low, high = fit.confidence_band([0.05, 0.5])
    >>> fit.predict([0.05, 0.5]).round(1).tolist(), low.round(1).tolist(), high.round(1).tolist()
    ([93.2, 188.5], [82.4, 178.7], [104.0, 198.3])
    >>> fit.report().splitlines()[5]
    'vmax         212.6837       6.947    3.27 %      [197.205, 228.163]'
    """

    def __new__(cls, items, **fields):
        """A tuple of the items."""
        return super().__new__(cls, items)

    def __init__(self, items, *, names, popt, pcov, x, y, sigma, absolute_sigma, likelihood, loss, f_scale, model,
                 model_name, jacobian, cost, lower, upper, fixed, tied, active_mask, nfev, njev, nit, status, message,
                 success, method, refit, multipliers=(), constr_violation=0.0, n_active=0):  # fmt: skip
        self.names, self.popt, self.pcov = names, popt, pcov
        self.x, self.y, self.sigma, self.absolute_sigma = x, y, sigma, absolute_sigma
        self.likelihood, self.loss, self.f_scale, self.cost = likelihood, loss, f_scale, cost
        self.model, self.model_name, self.jacobian, self.refit = model, model_name, jacobian, refit
        self.lower, self.upper, self.tied, self.active_mask = lower, upper, tied, active_mask
        # a tied parameter follows others: it is not held, and has a standard error
        self.fixed = np.array([held and name not in tied for name, held in zip(names, fixed, strict=True)], bool)
        self.nfev, self.njev, self.nit = nfev, njev, nit
        self.status, self.message, self.success, self.method = status, message, success, method
        self.multipliers, self.constr_violation, self.n_active = multipliers, constr_violation, n_active

    # --- the parameters

    @property
    def params(self):
        """The values of the parameters by their names, a dict."""
        return dict(zip(self.names, map(float, self.popt), strict=True))

    @cached_property
    def stderr(self):
        """The standard errors, (n,): 0 for fixed parameters, NaN for those at a bound, inf where undetermined."""
        with np.errstate(invalid="ignore"):
            found = np.sqrt(np.diag(self.pcov))
        found = np.where(np.asarray(self.active_mask) != 0, np.nan, found)
        return np.where(self.fixed, 0.0, found)

    @cached_property
    def correlation(self):
        """The correlations of the parameters, (n, n); NaN for those without a standard error."""
        covariance = np.where(np.isfinite(self.stderr), 1.0, np.nan) * self.pcov
        return formulas.correlation_of(covariance)

    def at_bound(self, j):
        """'lower' or 'upper' for a parameter that ended at a bound, else ''."""
        if self.fixed[j]:
            return ""
        return {-1: "lower", 1: "upper"}.get(int(self.active_mask[j]), "")

    # --- what follows from it

    def predict(self, x):
        """The model at x, with the fitted parameters.

        Parameters
        ----------
        x : array_like
            As in the fit, any number of points.

        Returns
        -------
        ndarray
        """
        return np.asarray(self.model(self._points(x), *self.popt), float)

    def _points(self, x):
        return x if isinstance(x, np.ndarray) or not isinstance(self.x, np.ndarray) else np.asarray(x, float)

    def confidence_band(self, x, level=0.95):
        r"""Where the model's mean is at x, by the delta method.

        .. math:: f(x) \pm q \sqrt{g^T C g}, \qquad g = \partial f / \partial p

        C is the covariance of the parameters; q the quantile of Student's t with ``dof`` degrees of freedom, or of
        the normal distribution with ``absolute_sigma`` and for counts.  Pointwise, not for the curve as a whole.

        Parameters
        ----------
        x : array_like
        level : float, optional
            The probability, 0.95 by default.

        Returns
        -------
        lower, upper : ndarray
        """
        q = formulas.quantile(self, level)
        f, v = formulas.mean_variance(self, self._points(x))
        half = q * np.sqrt(v)
        return (np.maximum(f - half, 0.0) if self.likelihood == "poisson" else f - half), f + half

    def prediction_band(self, x, level=0.95, sigma=None):
        r"""Where a new observation at x is.

        .. math:: f(x) \pm q \sqrt{g^T C g + s^2 \sigma^2}

        s² is 1 with ``absolute_sigma``, otherwise estimated, 2 cost / dof; g, C and q as in :meth:`confidence_band`.
        For counts: the quantiles of a negative binomial distribution, which is what a Poisson distribution becomes when
        its mean is uncertain (gamma distributed, with variance g' C g).

        Parameters
        ----------
        x : array_like
        level : float, optional
            The probability, 0.95 by default.
        sigma : float or array_like, optional
            Standard deviations of the new observations, as those given to the fit.  Default: the fit's, if they are
            all alike or x is ``fit.x``.

        Returns
        -------
        lower, upper : ndarray
        """
        q = formulas.quantile(self, level)
        x = self._points(x)
        f, v = formulas.mean_variance(self, x)
        if self.likelihood == "poisson":
            return formulas.count_band(f, v, level)
        half = q * np.sqrt(v + formulas.new_variance(self, x, sigma))
        return f - half, f + half

    def confidence_intervals(self, level=0.95, method="profile"):
        r"""An interval for each parameter.

        Parameters
        ----------
        level : float, optional
            The probability, 0.95 by default.
        method : {'profile', 'wald'}, optional
            ``'profile'``: all values of the parameter at which the others can be chosen so that

            .. math:: (S(\theta) - S(\hat\theta)) / s^2 \le q^2

            with S twice the cost; each end takes a handful of refits.  ``'wald'``: value -+ q standard errors, which
            takes the model for linear.  q and s as in :meth:`prediction_band`.

        Returns
        -------
        dict of str to Interval
            ``low, high = intervals[name]``.  ``intervals[name].note`` says where an end is a bound or infinite (the
            profile never reaches the level), and what is fixed, tied (Wald's interval) or at a bound.

        References
        ----------
        D. M. Bates and D. G. Watts, Nonlinear Regression Analysis and Its Applications, Wiley 1988, ch. 6.
        """
        if method not in ("profile", "wald"):
            raise ValueError(f"method must be 'profile' or 'wald'; got {method!r}")
        return (intervals.profile if method == "profile" else intervals.wald)(self, formulas.check_level(level))

    # --- how it is shown

    def report(self, level=0.95, method="wald", min_correlation=0.1):
        """The fit as text: what ``print(fit)`` shows.

        Parameters
        ----------
        level : float, optional
            Of the intervals.
        method : {'wald', 'profile'}, optional
            Of the intervals, see :meth:`confidence_intervals`.
        min_correlation : float, optional
            Correlations of at least this size are listed.

        Returns
        -------
        str
        """
        return reports.text(self, level, method, min_correlation)

    def to_html(self, path=None, level=0.95, method="wald"):
        """One page that needs nothing else: the report, and a picture of fit and residuals if matplotlib is there.

        Parameters
        ----------
        path : str or path-like, optional
            A file to write it to as well.
        level, method : optional
            As in :meth:`report`.

        Returns
        -------
        str
        """
        page = reports.page(self, level, method)
        if path is not None:
            with open(path, "w", encoding="utf-8") as file:
                file.write(page)
        return page

    def plot(self, ax=None, level=0.95):
        """Draw data, fit and bands, and the residuals below.

        Parameters
        ----------
        ax : matplotlib axes, or two of them, optional
            Where to draw the fit, and the residuals if there are two.  Default: a new figure with both.
        level : float, optional
            Of the bands.

        Returns
        -------
        fig, axes
            ``axes`` is a pair, or what was given.

        Raises
        ------
        ImportError
            If matplotlib is missing.
        """
        from numopt.plot._fit import plot

        return plot(self, ax, formulas.check_level(level))

    def to_dict(self):
        """The numbers as plain values: parameters, covariance, statistics, how the run ended."""
        return reports.numbers(self)

    def to_json(self, indent=2):
        """:meth:`to_dict` as JSON text; NaN and inf are null."""
        return reports.json_text(self, indent)

    def __str__(self):
        return self.report()

    def __repr__(self):
        errors = ("" if held else f" ± {error:.2g}" for held, error in zip(self.fixed, self.stderr, strict=True))
        cells = (f"{name} = {v:.6g}{e}" for (name, v), e in zip(self.params.items(), errors, strict=True))
        return f"FitResult({self.model_name}: {', '.join(cells)})"

    def _repr_html_(self):
        return reports.notebook(self)

    # --- pickle

    def __getnewargs__(self):
        return (tuple(self),)

    def __getstate__(self):
        self.fitted  # noqa: B018 - kept, for the model may be left out
        state, lost = dict(self.__dict__), []
        for name in ("model", "jacobian", "refit", "loss"):
            try:
                pickle.dumps(state[name])
            except Exception:  # pickle raises all sorts, by what it meets
                state[name] = _Missing(name)
                lost.append(name)
        if lost:
            warn(f"{', '.join(lost)} of this fit can't be pickled and are left out; the numbers are kept")
        return state


class _Missing:
    """Stands for a function that a pickle could not hold."""

    def __init__(self, name):
        self.name = name

    def __call__(self, *args):
        raise RuntimeError(  # not a ValueError, which a profile takes for a model that is not defined there
            f"this fit comes from a pickle that could not hold its {self.name}: define the function in a module"
        )
