"""The progress bar of ``compare``."""


class Progress:
    """A bar on stderr.  It is drawn between the runs only: a thread that redraws it would slow them."""

    def __init__(self, wanted, total):
        self.bar, self.total = None, total
        if wanted:
            from rich import progress
            from rich.console import Console

            self.bar = progress.Progress(
                progress.BarColumn(30),
                progress.MofNCompleteColumn(),
                progress.TimeElapsedColumn(),
                progress.TextColumn("{task.description}", markup=False),
                console=Console(stderr=True),
                transient=True,
                auto_refresh=False,
            )

    def __enter__(self):
        if self.bar is not None:
            self.bar.start()
            self.task = self.bar.add_task("", total=self.total)
        return self

    def __exit__(self, *error):
        if self.bar is not None:
            self.bar.stop()

    def show(self, text):
        """What is being run."""
        if self.bar is not None:
            self.bar.update(self.task, description=text, refresh=True)

    def step(self, count):
        """So many runs are done."""
        if self.bar is not None:
            self.bar.update(self.task, advance=count, refresh=True)
