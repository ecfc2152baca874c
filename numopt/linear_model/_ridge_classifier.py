"""The classifier on top of ridge regression."""

import numpy as np
import scipy.sparse as sp
from sklearn.base import ClassifierMixin
from sklearn.preprocessing import LabelBinarizer
from sklearn.utils import column_or_1d, compute_sample_weight
from sklearn.utils.validation import check_is_fitted, validate_data

from numopt.estimators.callbacks import observed
from numopt.linear_model._blas import few_threads
from numopt.linear_model._linear_base import check_squares, check_weights
from numopt.linear_model._ridge import BaseRidge


class LabelledRidge(ClassifierMixin):
    """Classes as targets -1 and 1, and predictions of classes."""

    def _encode(self, X, y, sample_weight, dtype=(np.float64, np.float32)):
        """Checks X, y and weights; sets ``classes_``; gives back X, labels, weights times class weights, targets."""
        weight = self.class_weight
        if (
            weight is not None
            and not isinstance(weight, dict)
            and not (isinstance(weight, str) and weight == "balanced")
        ):
            raise ValueError(f"class_weight must be a dict, 'balanced' or None, got {weight!r}")
        with np.errstate(over="ignore", invalid="ignore"):
            X, y = validate_data(
                self, X, y, accept_sparse=("csr", "csc"), dtype=list(dtype), multi_output=True, y_numeric=False
            )
        check_squares(X)
        if not sp.issparse(X) and not X.flags.forc:
            X = np.ascontiguousarray(X)
        binarizer = LabelBinarizer(pos_label=1, neg_label=-1)
        Y = binarizer.fit_transform(y)
        self._label_binarizer, self.classes_ = binarizer, binarizer.classes_
        if not binarizer.y_type_.startswith("multilabel"):
            y = column_or_1d(y, warn=True)
            if len(self.classes_) < 2:
                raise ValueError(f"y must have at least two classes, got one class: {self.classes_[0]!r}")
        weights = check_weights(sample_weight, X)
        if weight:
            balance = compute_sample_weight(weight, y).astype(X.dtype)
            weights = balance if weights is None else weights * balance
        return X, y, weights, Y.astype(X.dtype)

    def decision_function(self, X):
        """Signed score of every class, proportional to the distance from its hyperplane.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Samples.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_classes)
            Scores; with two classes that of ``classes_[1]``.
        """
        scores = self._decision(X)
        return scores[:, 0] if scores.ndim == 2 and scores.shape[1] == 1 else scores

    def predict(self, X):
        """Predict classes.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Samples.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_labels)
            Classes, or for several labels a sample the indicator of each.
        """
        check_is_fitted(self, "_label_binarizer")
        scores = self.decision_function(X)
        if self._label_binarizer.y_type_.startswith("multilabel"):
            return self._label_binarizer.inverse_transform(np.where(scores > 0, 1.0, -1.0))
        index = (scores > 0).astype(np.intp) if scores.ndim == 1 else scores.argmax(axis=1)
        return self.classes_[index]

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags


class RidgeClassifier(LabelledRidge, BaseRidge):
    """Classifier by ridge regression on targets -1 and 1, one against the rest.

    A replacement for :class:`sklearn.linear_model.RidgeClassifier`.

    Parameters
    ----------
    alpha : float or array-like of shape (n_classes,), default=1.0
        Strength of the penalty, zero or positive.
    fit_intercept : bool, default=True
        Whether there is a constant term.
    copy_X : bool, default=True
        Accepted for compatibility: X is never written to.
    max_iter : int, default=None
        Most iterations of the iterative solvers.
    tol : float, default=1e-4
        Relative precision of the iterative solvers.
    class_weight : dict or "balanced", default=None
        Weights of the classes; ``"balanced"`` weights each by the inverse of its frequency.
    solver : str, default="auto"
        As in :class:`Ridge`.
    positive : bool, default=False
        Whether the coefficients have to be zero or positive.
    random_state : int, RandomState instance or None, default=None
        Accepted for compatibility: nothing is random.

    Attributes
    ----------
    coef_ : ndarray of shape (n_features,) or (n_classes, n_features)
        Coefficients; with two classes those of the second.
    intercept_ : float or ndarray of shape (n_targets,)
        Constant terms.
    n_iter_ : ndarray of shape (n_targets,)
        Iterations; 1 for the solvers that are direct.
    classes_ : ndarray of shape (n_classes,)
        The classes.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the features, where X has names that are all strings.
    solver_ : str
        The solver that was used.

    Examples
    --------
    >>> import numpy as np
    >>> from numopt.linear_model import RidgeClassifier
    >>> X = np.array([[-2.0], [-1.0], [1.0], [2.0]])
    >>> print(RidgeClassifier().fit(X, ["low", "low", "high", "high"]).predict([[-1.5], [0.5]]))
    ['low' 'high']
    """

    def __init__(
        self,
        alpha=1.0,
        *,
        fit_intercept=True,
        copy_X=True,
        max_iter=None,
        tol=1e-4,
        class_weight=None,
        solver="auto",
        positive=False,
        random_state=None,
    ):
        super().__init__(
            alpha=alpha,
            fit_intercept=fit_intercept,
            copy_X=copy_X,
            max_iter=max_iter,
            tol=tol,
            solver=solver,
            positive=positive,
            random_state=random_state,
        )
        self.class_weight = class_weight

    @observed
    @few_threads
    def fit(self, X, y, sample_weight=None):
        """Fit the classifier.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Features.
        y : array-like of shape (n_samples,) or (n_samples, n_labels)
            Classes, or indicators of several labels.
        sample_weight : float or array-like of shape (n_samples,), default=None
            Weights of the squared errors, none negative.

        Returns
        -------
        RidgeClassifier
            The fitted estimator.
        """
        solver, alpha = self._check_parameters(X)
        X, _, weights, Y = self._encode(X, y, sample_weight)
        return self._fit(X, Y, weights, solver, alpha)
