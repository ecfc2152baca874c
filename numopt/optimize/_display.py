"""What ``options={'disp': True}`` shows: a live line while the run goes on, a summary at its end."""

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn


class Display:
    """A progress bar over the iterations with f, |g| and the evaluations, and the summary."""

    def __init__(self, title, maxiter):
        # sys.stdout is looked up here, so that redirected output goes where the user wants it
        self.console = Console()
        self.progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(20),
            TextColumn("iteration {task.completed:.0f}  f {task.fields[f]:.6e}  |g| {task.fields[g]:.1e}"),
            TextColumn("{task.fields[nfev]} evaluations"),
            TimeElapsedColumn(),
            console=self.console,
            transient=True,
        )
        total = maxiter if maxiter < 2**60 else None
        self.task = self.progress.add_task(title, total=total, f=float("nan"), g=float("nan"), nfev=0)
        self.progress.start()

    def update(self, nit, f, g, nfev):
        """Show the state of the run."""
        self.progress.update(self.task, completed=nit, f=f, g=g, nfev=nfev)

    def close(self, result):
        """Take the bar away and print the summary."""
        self.progress.stop()
        if "constr_violation" in result:
            self.console.print(result.report(), highlight=False, markup=False)
            return
        self.console.print(
            f"{result.message}\n"
            f"  f {result.fun:.10g}   |g| {result.optimality:.3e}   iterations {result.nit}   "
            f"evaluations f {result.nfev}, g {result.njev}, H {result.nhev}",
            highlight=False,
        )


class Steps:
    """A progress bar over runs that follow each other, with the best f so far; nothing at all unless ``shown``."""

    def __init__(self, title, total, shown):
        self.progress = None
        if shown:
            self.progress = Progress(
                TextColumn("{task.description}"),
                BarColumn(20),
                TextColumn(
                    "{task.completed:.0f}/{task.total:.0f}  f {task.fields[f]:.6e}  {task.fields[nfev]} evaluations"
                ),
                TimeElapsedColumn(),
                console=Console(),
            )
            self.task = self.progress.add_task(title, total=total, f=float("nan"), nfev=0)

    def __enter__(self):
        if self.progress is not None:
            self.progress.start()
        return self

    def __exit__(self, *error):
        if self.progress is not None:
            self.progress.stop()

    def update(self, f, nfev):
        """One more run has ended."""
        if self.progress is not None:
            self.progress.update(self.task, advance=1, f=f, nfev=nfev)
