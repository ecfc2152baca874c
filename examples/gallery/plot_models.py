r"""
Peaks without a start
=====================

A sum of models guesses where to start: for many positions and widths of a peak the best height follows by linear least
squares, the peak that explains most is taken, then the next beside it. Levenberg-Marquardt does the rest.
"""

import matplotlib.pyplot as plt
import numpy as np

import numopt
from numopt.models import Gaussian, Linear, Lorentzian

model = Gaussian("a_") + Gaussian("b_") + Lorentzian() + Linear()
truth = [5.0, 2.0, 0.3, 3.0, 3.2, 0.5, -2.5, 7.0, 0.25, 1.0, 0.2]
x = np.linspace(0, 10, 300)
y = model(x, *truth) + 0.15 * np.random.default_rng(0).standard_normal(300)
start = model.guess(x, y)
fit = numopt.curve_fit(model, x, y)
assert np.abs(model(x, *fit.popt) - model(x, *truth)).max() < 0.2

# %%
# The guess is close already; the fit ends where it would end from the true parameters.

fig, axes = plt.subplots(2, 1, figsize=(8, 6), sharex=True, height_ratios=[3, 1], layout="constrained")
axes[0].plot(x, y, ".", color="0.6", markersize=3, label="data")
axes[0].plot(x, model(x, *start), "--", label="guess")
axes[0].plot(x, model(x, *fit.popt), label="fit")
begin = 0
for term in model.terms[:-1]:
    count = len(term.parameters)
    axes[0].fill_between(x, term(x, *fit.popt[begin : begin + count]), alpha=0.25, label=term.name)
    begin += count
axes[0].legend(fontsize="small", ncols=2)
axes[1].plot(x, y - model(x, *fit.popt), ".", markersize=3)
axes[1].axhline(0, color="0.6", linewidth=0.6)
axes[1].set(xlabel="x", ylabel="residual")
