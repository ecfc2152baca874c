"""Classes as the numbers that a network learns, and back."""

import numpy as np
import scipy.sparse as sp
from sklearn.utils.multiclass import check_classification_targets, type_of_target, unique_labels


class Labels:
    """The classes of a classifier.

    Parameters
    ----------
    kind : {'binary', 'multiclass', 'multilabel'}
    classes : ndarray
    sparse : bool
        Whether labels of several columns were given as a sparse matrix, and are predicted so.
    """

    def __init__(self, kind, classes, sparse=False):
        self.kind, self.classes, self.sparse = kind, np.asarray(classes), bool(sparse)

    @classmethod
    def of(cls, y, classes=None):
        """Those of y, or those given."""
        check_classification_targets(y)
        kind = type_of_target(y, input_name="y")
        if kind == "multilabel-indicator":
            columns = np.arange(y.shape[1])
            if classes is not None and not np.array_equal(np.unique(np.asarray(classes)), columns):
                raise ValueError(
                    f"classes must be the numbers of the columns of y, {columns.tolist()}, where y has several labels "
                    f"a sample; got {classes!r}"
                )
            return cls("multilabel", columns, sp.issparse(y))
        if kind not in ("binary", "multiclass"):
            raise ValueError(f"y must hold one class a sample, or columns of 0 and 1 (multilabel); got {kind} targets")
        classes = unique_labels(y) if classes is None else np.unique(np.asarray(classes))
        if len(classes) < 2:
            (only,) = classes.tolist()
            raise ValueError(
                f"a classifier needs samples of at least two classes, but y holds one class only: {only!r}"
            )
        return cls("binary" if len(classes) == 2 else "multiclass", classes)

    @property
    def loss(self):
        """What the network minimises."""
        return "log_loss" if self.kind == "multiclass" else "binary_log_loss"

    @property
    def n_outputs(self):
        """Outputs of the network."""
        return 1 if self.kind == "binary" else len(self.classes)

    def encode(self, y, dtype, name="y"):
        """Class numbers (n,) for a softmax, columns of 0 and 1 in ``dtype`` for logistic outputs."""
        if self.kind == "multilabel":
            y = y.toarray() if sp.issparse(y) else np.asarray(y)
            if y.ndim != 2 or y.shape[1] != len(self.classes) or not np.isin(y, (0, 1)).all():
                raise ValueError(
                    f"{name} must have {len(self.classes)} columns of 0 and 1, one for each label; got shape {y.shape}"
                )
            return np.ascontiguousarray(y, dtype=dtype)
        y = np.asarray(y.toarray() if sp.issparse(y) else y)
        if y.ndim == 2 and y.shape[1] > 1:
            raise ValueError(f"{name} must have one class a sample, as before; got shape {y.shape}")
        y = y.reshape(-1)
        at = np.minimum(np.searchsorted(self.classes, y), len(self.classes) - 1)
        new = np.unique(y[self.classes[at] != y])
        if len(new):
            raise ValueError(
                f"`{name}` has classes not in `self.classes_`. `self.classes_` has {self.classes}. "
                f"'{name}' has {np.unique(y)}."
            )
        return at.astype(np.int64) if self.kind == "multiclass" else at.astype(dtype)[:, None]

    def check_same(self, y):
        """Refuses labels that are not those of the fit before."""
        found = unique_labels(y)
        if set(found) != set(self.classes):
            raise ValueError(
                "warm_start can only be used where `y` has the same classes as in the previous call to fit. "
                f"Previously got {self.classes}, `y` has {found}"
            )

    def decode(self, P):
        """The labels predicted from the outputs P."""
        if self.kind == "multiclass":
            return self.classes[P.argmax(axis=1)]
        if self.kind == "binary":
            return self.classes[(P[:, 0] > 0.5).astype(np.intp)]
        found = (P > 0.5).astype(int)
        return sp.csr_matrix(found) if self.sparse else found

    def accuracy(self, P, Y, weight=None):
        """The share of samples whose labels are all predicted right."""
        right = P.argmax(axis=1) == Y if self.kind == "multiclass" else ((P > 0.5) == Y).all(axis=1)
        return float(np.average(right, weights=weight))
