"""scikit-learn's callbacks, which it has from version 1.9 on: a fit, and where it has them its iterations and folds.

Without callbacks set, or with an older scikit-learn, nothing here costs anything.
"""

import functools
import inspect

try:
    from sklearn.callback import CallbackSupportMixin
    from sklearn.callback import with_callbacks as _managed
except ImportError:  # an older scikit-learn: no callbacks can be set, so that none are called

    class CallbackSupportMixin:  # type: ignore[no-redef]
        """Stands for scikit-learn's."""

    def _managed(method):  # type: ignore[no-redef]
        return method


def with_callbacks(fit):
    """A ``fit`` after which callbacks are torn down, whatever its end."""
    managed = _managed(fit)

    @functools.wraps(fit)
    def either(self, *args, **kwargs):
        return (managed if getattr(self, "_skl_callbacks", None) else fit)(self, *args, **kwargs)

    return either


class Tasks:
    """The task of a fit and those inside it, and the calls of the hooks at their beginnings and ends.

    Parameters
    ----------
    estimator : CallbackSupportMixin
    X, y, sample_weight
        What its ``fit`` was given.
    most : int or None, default=0
        How many tasks there are inside at most; None: not known.
    sequential : bool, default=True
        Whether they come one after the other.
    """

    def __init__(self, estimator, X, y, sample_weight, most=0, sequential=True):
        self.root = None
        if getattr(estimator, "_skl_callbacks", None):
            metadata = None if sample_weight is None else {"sample_weight": sample_weight}
            self.data = {"estimator": estimator, "X": X, "y": y, "metadata": metadata}
            self.root = estimator._init_callback_context(max_subtasks=most, sequential_subtasks=sequential)
            self.root.call_on_fit_task_begin(**self.data)

    def end(self):
        """The fit is over; its attributes are set."""
        if self.root is not None:
            self.root.call_on_fit_task_end(**self.data, reconstruction_attributes={})

    def iterations(self, attributes):
        """What a solver calls with its state where an iteration begins; None without callbacks."""
        return None if self.root is None else Iterations(self, attributes)

    def begin(self, name, number):
        """A task among others that run at the same time."""
        if self.root is None:
            return None
        return self.root.subcontext(task_name=name, task_id=number).call_on_fit_task_begin(**self.data)

    def done(self, task):
        """Such a task has ended."""
        if task is not None:
            task.call_on_fit_task_end(**self.data)


class Iterations:
    """Called where an iteration begins, with the state from which ``attributes`` makes those of a fitted estimator."""

    def __init__(self, tasks, attributes):
        self.tasks, self.attributes, self.task, self.stopped = tasks, attributes, None, False

    def __call__(self, state):
        """Ends the iteration before and begins another, unless a callback says stop, of which it tells."""
        self.close(state)
        if not self.stopped:
            self.task = self.tasks.root.subcontext(task_name="iteration")
            self.task.call_on_fit_task_begin(
                **self.tasks.data, reconstruction_attributes=lambda: self.attributes(state)
            )
        return self.stopped

    def close(self, state):
        """Ends the iteration."""
        if self.task is not None:
            task, self.task = self.task, None
            self.stopped = task.call_on_fit_task_end(
                **self.tasks.data, reconstruction_attributes=lambda: self.attributes(state)
            )


def observed(fit):
    """A ``fit`` that is one task, without others inside."""
    signature = inspect.signature(fit)

    @_managed
    def one_task(self, *args, **kwargs):
        given = signature.bind(self, *args, **kwargs).arguments
        tasks = Tasks(self, given.get("X"), given.get("y"), given.get("sample_weight"))
        fit(self, *args, **kwargs)
        tasks.end()
        return self

    @functools.wraps(fit)
    def either(self, *args, **kwargs):
        # called by the fit that calls this one, which has begun the task, or with nothing to call
        plain = hasattr(self, "_callback_fit_ctx") or not getattr(self, "_skl_callbacks", None)
        return (fit if plain else one_task)(self, *args, **kwargs)

    return either
