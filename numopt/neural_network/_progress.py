"""The bar of ``progress=True``."""


class Bar:
    """Epochs done, loss and validation score, while a model is trained; nothing unless it asks for it."""

    def __init__(self, model):
        self.model, self.progress = model, None

    def __enter__(self):
        if self.model.progress:
            from rich.console import Console
            from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

            self.progress = Progress(
                TextColumn("{task.description}"),
                BarColumn(20),
                TextColumn("{task.completed:.0f}/{task.total:.0f}  loss {task.fields[loss]:.6f}{task.fields[score]}"),
                TimeElapsedColumn(),
                TimeRemainingColumn(),
                console=Console(),  # made here, so that redirected output goes where the user wants it
            )
            name = f"{type(self.model).__name__} ({self.model.solver})"
            total = self.model.max_iter
            self.task = self.progress.add_task(name, total=total, loss=float("nan"), score="")
            self.progress.start()
        return self

    def update(self):
        """Shows where the model stands."""
        if self.progress is not None:
            model = self.model
            score = f"  validation {model.validation_scores_[-1]:.4f}" if model.validation_scores_ else ""
            self.progress.update(self.task, completed=model.n_iter_, loss=model.loss_, score=score)

    def __exit__(self, *exception):
        if self.progress is not None:
            self.progress.stop()
