"""The implied volatilities of many options: a root of a function of one variable for each row, in a compiled loop.

Run it with ``python examples/implied_volatility.py``.
"""

import math
import time

import numba
import numpy as np

import numopt

brentq = numopt.jit_root_scalar("brentq", xtol=1e-10)


@numba.njit
def call_price(volatility, spot, strike, years, rate):
    """Black, Scholes & Merton's price of a European call."""
    s = volatility * math.sqrt(years)
    d = math.log(spot / strike) / s + (rate / volatility) * math.sqrt(years) + 0.5 * s
    normal = 0.5 * math.erfc(-d / math.sqrt(2.0)), 0.5 * math.erfc((s - d) / math.sqrt(2.0))
    return spot * normal[0] - strike * math.exp(-rate * years) * normal[1]


@numba.njit
def error(volatility, price, spot, strike, years, rate):
    return call_price(volatility, spot, strike, years, rate) - price


@numba.njit(parallel=True)
def implied(price, spot, strike, years, rate):
    """A volatility between 0.1 % and 500 % for each row; NaN where there is none."""
    out = np.empty(price.size)
    for k in numba.prange(price.size):
        root, status, _, _ = brentq(error, 1e-3, 5.0, (price[k], spot[k], strike[k], years[k], rate))
        out[k] = root if status == 0 else np.nan
    return out


rng = np.random.default_rng(0)
n = 200_000
spot, strike = np.full(n, 100.0), rng.uniform(80.0, 120.0, n)
years, volatility = rng.uniform(0.25, 2.0, n), rng.uniform(0.1, 0.6, n)
price = np.array([call_price(*row, 0.02) for row in zip(volatility, spot, strike, years, strict=True)])
price[0] = 200.0  # worth more than the share: no volatility explains it

implied(price[:2], spot[:2], strike[:2], years[:2], 0.02)  # compiles
start = time.perf_counter()
found = implied(price, spot, strike, years, 0.02)
seconds = time.perf_counter() - start
print(f"{n} roots in {seconds:.2f} s, {seconds / n * 1e9:.0f} ns each")
print(f"largest error {np.nanmax(abs(found[1:] - volatility[1:])):.1e}; without a solution: {np.isnan(found).sum()}")
