"""Half the Poisson deviance of a count y at the log mean z, without what does not depend on z:  e^z - y z."""

from numopt.losses.elementary import exact, exp


@exact
def terms(y, z):
    """(value, derivative e^z - y, curvature e^z)."""
    mean = exp(z)
    return mean - y * z, mean - y, mean
