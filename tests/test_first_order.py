"""First-order methods: the rules beside formulas of their own, sums in batches, terms, averages, schedules."""

import math

import numba
import numpy as np
import pytest

import numopt
from numopt import METHODS, Status, minimize
from numopt.kernels import first_order as kernels
from numopt.kernels import first_order_slots as o

RULES = list(o.RULES)
LR, MU, B1, B2, RHO, EPS, DECAY, UP, DOWN = 0.01, 0.8, 0.85, 0.995, 0.92, 1e-7, 0.03, 0.07, 0.2


@numba.njit
def _run(rule, w, gradients, s, h, split):
    kernels.init_rule(rule, w.size, s, h)
    points = np.empty_like(gradients)
    for k in range(len(gradients)):
        kernels.begin_update(rule, h)
        kernels.update(rule, w, gradients[k], s, split, w.size, h, True)  # ranges in any order
        kernels.update(rule, w, gradients[k], s, 0, split, h, True)
        points[k] = w
    return points


def ours(rule, w, gradients, split=0, **scalars):
    """The points after each update."""
    h = np.zeros(o.N_H)
    given = {"LR_INIT": LR, "MOMENTUM": MU, "BETA_1": B1, "BETA_2": B2, "RHO": RHO, "EPSILON": EPS,
             "WEIGHT_DECAY": DECAY, "GAIN_UP": UP, "GAIN_DOWN": DOWN, **scalars}  # fmt: skip
    for slot, value in o.DEFAULTS.items():
        h[slot] = value
    for name, value in given.items():
        h[getattr(o, name)] = value
    k = o.RULES.index(rule)
    return _run(k, w.copy(), gradients, np.full(o.N_VECTORS[k] * w.size, np.nan, w.dtype), h, split)


def formulas(rule, w, gradients):
    """The same, as the papers have it."""
    points, zero = [], np.zeros_like(w)
    v, r, u, m, gain, mean, product = zero, zero, zero, zero, zero + 1, zero, 1.0
    largest = zero
    for t, g in enumerate(gradients, 1):
        m_hat = lambda: m / (1 - B1**t)  # noqa: B023, E731
        v_hat = lambda r: r / (1 - B2**t)  # noqa: B023, E731
        if rule == "sgd":
            w = w - LR * g
        elif rule in ("momentum", "nesterov"):
            v = MU * v - LR * g
            w = w + (v if rule == "momentum" else MU * v - LR * g)
        elif rule == "adagrad":
            r = r + g**2
            w = w - LR * g / (np.sqrt(r) + EPS)
        elif rule == "adadelta":
            r = RHO * r + (1 - RHO) * g**2
            d = np.sqrt(u + EPS) / np.sqrt(r + EPS) * g
            u = RHO * u + (1 - RHO) * d**2
            w = w - LR * d
        elif rule in ("rmsprop", "rmsprop-nesterov"):
            r = RHO * r + (1 - RHO) * g**2
            d = g / (np.sqrt(r) + EPS)
            v = MU * v - LR * d
            w = w - LR * d if rule == "rmsprop" else w + MU * v - LR * d
        elif rule in ("adam", "adamw", "amsgrad"):
            w = w * (1 - LR * DECAY) if rule == "adamw" else w
            m, r = B1 * m + (1 - B1) * g, B2 * r + (1 - B2) * g**2
            largest = np.maximum(largest, r)
            w = w - LR * m_hat() / (np.sqrt(v_hat(largest if rule == "amsgrad" else r)) + EPS)
        elif rule == "adamax":
            m, u = B1 * m + (1 - B1) * g, np.maximum(B2 * u, np.abs(g) + EPS)
            w = w - LR * m_hat() / u
        elif rule == "nadam":
            mu, after = (B1 * (1 - 0.5 * 0.96 ** (0.004 * k)) for k in (t, t + 1))
            product *= mu
            m, r = B1 * m + (1 - B1) * g, B2 * r + (1 - B2) * g**2
            look = after * m / (1 - product * after) + (1 - mu) * g / (1 - product)
            w = w - LR * look / (np.sqrt(v_hat(r)) + EPS)
        else:
            gain = np.where(mean * g > 0, gain + UP, np.where(mean * g < 0, gain * (1 - DOWN), gain))
            mean = RHO * mean + (1 - RHO) * g
            w = w - LR * gain * g
        points.append(w)
    return np.array(points)


def sequence(dtype=np.float64):
    rng = np.random.default_rng(1)
    scale = np.array([1.0, 1e-3, 30.0, 1.0, 1.0, 1.0, 1e-9])
    gradients = rng.standard_normal((100, 7)) * scale + 0.3 * scale
    gradients[:3, 4] = 0.0
    return rng.standard_normal(7).astype(dtype), gradients.astype(dtype)


@pytest.mark.parametrize("rule", RULES)
def test_rules_are_their_papers_formulas(rule):
    w, gradients = sequence()
    assert np.allclose(ours(rule, w, gradients, split=3), formulas(rule, w, gradients), rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("rule", RULES)
def test_single_precision_is_lost_to_rounding_alone(rule):
    w, gradients = sequence(np.float32)
    single = ours(rule, w, gradients)
    double = formulas(rule, w.astype(float), gradients.astype(float))
    assert single.dtype == np.float32
    assert np.abs(single - double).max() <= 3e-7 * max(1.0, np.abs(double).max()) * 4
    moved = np.abs(double[0] - w)
    assert np.abs(single[0] - double[0]).max() <= 1.2e-7 * np.abs(w).max() + 1e-6 * moved.max()


def test_decays_near_one_in_single_precision():
    """1 - rho and 1 - beta_2 were once formed in single precision, which put the first steps off by 1e-5 and more."""
    one = np.zeros(1, np.float32)
    step = ours("rmsprop", one, np.ones((1, 1), np.float32), RHO=0.9999)[0, 0]
    assert step == pytest.approx(-LR / (math.sqrt(1 - 0.9999) + EPS), rel=1e-6)


@pytest.mark.parametrize("rule", ["sgd", "momentum", "nesterov", "adagrad", "adadelta", "rmsprop", "adam", "adamw",
                                  "adamax", "nadam", "amsgrad"])  # fmt: skip
@pytest.mark.parametrize("precision", ["float64", "float32"])
def test_pytorch(rule, precision):
    torch = pytest.importorskip("torch")
    w, gradients = sequence(np.dtype(precision))
    x = torch.tensor(w.copy(), requires_grad=True)
    betas = {"betas": (B1, B2), "eps": EPS}
    make, options = {
        "sgd": (torch.optim.SGD, {}), "momentum": (torch.optim.SGD, {"momentum": MU}),
        "nesterov": (torch.optim.SGD, {"momentum": MU, "nesterov": True}),
        "adagrad": (torch.optim.Adagrad, {"eps": EPS}), "adadelta": (torch.optim.Adadelta, {"rho": RHO, "eps": EPS}),
        "rmsprop": (torch.optim.RMSprop, {"alpha": RHO, "eps": EPS}), "adam": (torch.optim.Adam, betas),
        "adamw": (torch.optim.AdamW, {**betas, "weight_decay": DECAY}), "adamax": (torch.optim.Adamax, betas),
        "nadam": (torch.optim.NAdam, {**betas, "momentum_decay": 0.004}),
        "amsgrad": (torch.optim.Adam, {**betas, "amsgrad": True}),
    }[rule]  # fmt: skip
    optimizer, points, default = make([x], lr=LR, **options), [], torch.get_default_dtype()
    torch.set_default_dtype(x.dtype)  # NAdam's factors are of this type
    try:
        for g in gradients:
            x.grad = torch.tensor(g)
            optimizer.step()
            points.append(x.detach().numpy().copy())
    finally:
        torch.set_default_dtype(default)
    tolerance = 1e-12 if precision == "float64" else 1e-6
    theirs = np.array(points)
    assert np.abs(ours(rule, w, gradients) - theirs).max() <= tolerance * np.abs(theirs).max()


def test_schedules():
    def rates(count=24, per_epoch=2, **options):
        def fun(x, indices):
            return float(x @ x), 2.0 * x

        options = {"step": 0.1, "n_terms": per_epoch, "batch_size": 1, "gtol": 0.0, "history": True, **options}
        options["maxiter"] = count // per_epoch
        history = minimize(fun, [1.0], jac=True, method="sgd", options=options).history
        return history["step"][1:]  # of the last update of each epoch

    t = np.arange(1, 24, 2) / 2  # its clock
    assert np.allclose(rates(), 0.1)
    assert np.allclose(rates(schedule="inverse-time", kappa=0.5), 0.1 / (1 + 0.5 * t))
    assert np.allclose(rates(schedule="step", drop=0.5, drop_every=3), 0.1 * 0.5 ** (t // 3))
    assert np.allclose(rates(schedule="exponential", gamma=0.9), 0.1 * 0.9**t)
    cosine = 0.02 + 0.5 * 0.08 * (1 + np.cos(np.pi * np.minimum(t / 8, 1)))
    assert np.allclose(rates(schedule="cosine", period=8, lr_min=0.02), cosine)
    assert np.allclose(rates(schedule="invscaling", power_t=0.7), 0.1 / (np.floor(t) + 1) ** 0.7)
    assert np.allclose(rates(warmup=5), 0.1 * np.minimum(1, (t + 0.5) / 5))
    for function in (lambda t: 0.1 / (1 + t * t), numba.njit(lambda t: 0.1 / (1 + t * t))):
        assert np.allclose(rates(schedule=function), 0.1 / (1 + t * t))


def test_adaptive_schedule_acts_when_f_no_longer_falls():
    options = {"step": 1.0, "schedule": "adaptive", "patience": 3, "drop": 0.5, "history": True, "maxiter": 12}
    history = minimize(lambda x: (abs(x[0]), np.sign(x)), [0.375], jac=True, method="sgd", options=options).history
    # steps of 1 go to and fro between 0.375 and -0.625 until the third without a lower f
    assert history["step"][1:6].tolist() == [1.0, 1.0, 1.0, 0.5, 0.5] and history["f"][4] == 0.125


def well(x):
    c = np.arange(1.0, x.size + 1)
    return 0.5 * float(c @ (x - 1.0) ** 2), c * (x - 1.0)


@pytest.mark.parametrize("rule", RULES)
def test_minimum_of_a_bowl_with_a_falling_learning_rate(rule):
    step = {"adadelta": 20.0, "sgd": 0.3, "adagrad": 1.0}.get(rule, 0.1)
    options = {"step": step, "schedule": "cosine", "period": 800.0, "maxiter": 800, "gtol": 1e-6}
    if rule == "adamw":
        options["weight_decay"] = 0.0
    result = minimize(well, [3.0, -2.0, 0.5], jac=True, method=rule, options=options)
    assert np.abs(result.x - 1.0).max() <= 1e-3 and result.fun == well(result.x)[0]


def test_epsilon_hat_is_scikit_learns_form():
    g, lr, eps = 2e-3, 0.1, 1e-2
    fun = lambda x: (g * x[0], np.array([g]))  # noqa: E731
    for hat in (False, True):
        options = {"step": lr, "epsilon": eps, "epsilon_hat": hat, "maxiter": 1, "gtol": 0.0}
        x = minimize(fun, [0.0], jac=True, method="adam", options=options).x[0]
        root = math.sqrt(1 - 0.999)
        expected = -lr * root * g / (root * g + eps) if hat else -lr * g / (g + eps)
        assert x == pytest.approx(expected, rel=1e-12)


def test_other_names():
    assert numopt.catalog.ALIASES["heavy-ball"] == "momentum"
    runs = [minimize(well, [3.0, -2.0], jac=True, method=name, options={option: 0.01, "maxiter": 5}).x
            for name, option in (("momentum", "step"), ("heavy-ball", "learning_rate"))]  # fmt: skip
    assert np.array_equal(*runs)


@pytest.mark.parametrize("jitted", [True, False])
def test_large_gradients_are_clipped(jitted):
    fun = lambda x: (3.0 * x[0] - 4.0 * x[1], np.array([3.0, -4.0]))  # noqa: E731
    fun = numba.njit(fun) if jitted else fun
    run = lambda **options: minimize(  # noqa: E731
        fun, [0.0, 0.0], jac=True, method="sgd", options={"step": 1.0, "maxiter": 1, **options}
    )
    assert run(clip_norm=1.0).x == pytest.approx([-0.6, 0.8])
    assert run(clip_norm=10.0).x == pytest.approx([-3.0, 4.0])
    assert run(clip_value=1.5).x == pytest.approx([-1.5, 1.5])
    assert run(clip_value=3.5, clip_norm=1.0).x == pytest.approx(np.array([-3.0, 3.5]) / math.hypot(3.0, 3.5))
    assert run(clip_norm=1.0).jac.tolist() == [3.0, -4.0] and run(clip_norm=1.0).optimality == 4.0


# --- terms beside f


@pytest.mark.parametrize("rule", [rule for rule in RULES if rule != "adamw"])
def test_lasso_to_its_optimality_conditions(rule):
    rng = np.random.default_rng(0)
    A = rng.standard_normal((60, 12))
    b = A[:, :3] @ [3.0, -2.0, 1.0] + 0.1 * rng.standard_normal(60)
    smooth = lambda x: (0.5 * float((A @ x - b) @ (A @ x - b)) / 60, A.T @ (A @ x - b) / 60)  # noqa: E731
    fixed = 0.3 if rule in ("sgd", "momentum", "nesterov") else 0.05
    options = {"step": fixed, "l1": 0.2, "l2": 0.1, "maxiter": 20_000, "gtol": 1e-5}
    if rule.startswith("rmsprop"):  # its steps are as long as the learning rate
        options |= {"schedule": "exponential", "gamma": 0.995}
    result = minimize(smooth, np.full(12, 0.5), jac=True, method=rule,
                      options=options | ({"momentum": 0.5} if rule in ("momentum", "nesterov") else {}))  # fmt: skip
    assert result.status is Status.GRADIENT
    x, g = result.x, smooth(result.x)[1] + 0.1 * result.x
    assert np.abs(g + 0.2 * np.sign(x))[x != 0].max() <= 1.0001e-5 and np.abs(g[x == 0]).max() <= 0.2 + 1e-5
    assert (x == 0).sum() >= 8  # exactly
    assert result.fun == pytest.approx(smooth(x)[0] + 0.2 * np.abs(x).sum() + 0.05 * x @ x, rel=1e-14)


def test_terms_with_differences_and_at_the_start():
    options = {"l1": 0.5, "l2": 1.0, "step": 0.2}
    result = minimize(lambda x: float((x[0] - 1.0) ** 2), [-2.0], method="sgd", options=options)
    assert result.success and result.x == pytest.approx([0.5], abs=1e-5)
    start = minimize(lambda x: ((x[0] - 1.0) ** 2, 2 * (x - 1.0)), [-2.0], jac=True, method="sgd",
                     options={"l1": 0.5, "l2": 1.0, "maxiter": 0})  # fmt: skip
    assert start.fun == 9.0 + 1.0 + 2.0 and start.jac.tolist() == [-6.0 - 0.5 - 2.0]


def test_terms_of_fixed_variables_count():
    """They were left out of f where bounds held a variable."""
    result = minimize(well, [0.5, -2.0], jac=True, method="sgd", bounds=[(None, None), (-2.0, -2.0)],
                      options={"l1": 0.5, "l2": 1.0, "maxiter": 3})  # fmt: skip
    x = result.x
    assert x[1] == -2.0 and result.fun == pytest.approx(well(x)[0] + 0.5 * np.abs(x).sum() + 0.5 * x @ x, rel=1e-14)


# --- averages


@pytest.mark.parametrize("kind", ["plain", "exponential"])
@pytest.mark.parametrize("jitted", [True, False])
def test_averages(kind, jitted):
    fun = numba.njit(well) if jitted else well
    options = {"step": 0.1, "maxiter": 7, "return_all": True, "gtol": 0.0}
    points = np.array(minimize(fun, [3.0, -2.0], jac=True, method="sgd", options=options).allvecs)[1:]
    more = {"average": kind, "average_decay": 0.6, "average_start": 2}
    averaged = np.array(minimize(fun, [3.0, -2.0], jac=True, method="sgd", options={**options, **more}).allvecs)[1:]
    assert np.allclose(averaged[:2], points[:2])  # nothing counts yet
    mean = points[2]
    for k in range(2, 7):
        if k > 2:
            mean = points[2 : k + 1].mean(0) if kind == "plain" else 0.6 * mean + 0.4 * points[k]
        assert np.allclose(averaged[k], mean, rtol=1e-14)


# --- sums of terms


N_ROWS = 23
_rng = np.random.default_rng(3)
ROWS = _rng.standard_normal((N_ROWS, 4))
TARGETS = ROWS @ [1.0, -2.0, 0.5, 3.0] + 0.1 * _rng.standard_normal(N_ROWS)


def some_rows(x, indices, A, b):
    f, g = 0.0, np.zeros(x.size)
    for i in indices:
        r = 0.0
        for j in range(x.size):
            r += A[i, j] * x[j]
        r -= b[i]
        f += 0.5 * r * r
        for j in range(x.size):
            g[j] += r * A[i, j]
    return f / indices.size, g / indices.size


SOME_ROWS = numba.njit(some_rows)


def whole(x):
    """Value and gradient of all terms."""
    return SOME_ROWS(x, np.arange(N_ROWS), ROWS, TARGETS)


def least(fun=SOME_ROWS, method="adam", jac=True, **options):
    options = {"n_terms": N_ROWS, "batch_size": 5, "step": 0.05, "gtol": 0.0, "maxiter": 6, **options}
    return minimize(fun, np.zeros(4), (ROWS, TARGETS), method=method, jac=jac, options=options)


def test_an_epoch_sees_each_term_once_in_a_new_order():
    seen = []

    def fun(x, indices, A, b):
        assert indices.dtype == np.int64
        seen.append(indices.copy())
        indices[:] = 0  # a copy: the run does not see it
        return some_rows(x, seen[-1], A, b)

    result = least(fun, maxiter=3)
    assert result.nfev == len(seen) == 1 + 3 * 6 and result.nit == 3 and result.n_updates == 15
    ends, epochs = [seen[k] for k in (0, 6, 12, 18)], [seen[1 + 6 * k : 6 + 6 * k] for k in range(3)]
    assert all(np.array_equal(indices, np.arange(N_ROWS)) for indices in ends)
    assert all([len(batch) for batch in epoch] == [5, 5, 5, 5, 3] for epoch in epochs)
    orders = [np.concatenate(epoch) for epoch in epochs]
    assert all(np.array_equal(np.sort(order), np.arange(N_ROWS)) for order in orders)
    assert not np.array_equal(orders[0], orders[1]) and not np.array_equal(orders[1], orders[2])
    assert not np.array_equal(orders[0], np.arange(N_ROWS))


def test_orders_are_spread_evenly():
    """Each term comes first about equally often, whatever the seed and the epoch."""
    first = []

    def fun(x, indices):
        first.append(indices[0])
        return 1.0, np.ones(1)

    for seed in range(40):
        minimize(fun, [0.0], jac=True, method="sgd",
                 options={"n_terms": 4, "batch_size": 3, "maxiter": 20, "random_state": seed, "gtol": 0.0})  # fmt: skip
    counts = np.bincount(np.array(first).reshape(40, -1)[:, 1:].reshape(-1, 3)[:, 0], minlength=4)
    assert counts.sum() == 800 and ((counts - 200.0) ** 2 / 200).sum() < 16.3  # chi squared, 3 degrees, 0.999


def test_updates_are_the_rules_on_the_batches():
    orders, x = [], np.zeros(4)

    def fun(x, indices, A, b):
        orders.append(indices)
        return some_rows(x, indices, A, b)

    least(fun, "sgd", maxiter=2)
    for batch in orders[1:6] + orders[7:12]:
        x = x - 0.05 * some_rows(x, batch, ROWS, TARGETS)[1]
    result = least(method="sgd", maxiter=2)
    assert np.allclose(result.x, x, rtol=1e-13) and result.fun == whole(result.x)[0]


def test_reproducible_and_by_seed():
    first, again, other = (least(random_state=seed).x for seed in (1, 1, 2))
    assert np.array_equal(first, again) and not np.array_equal(first, other)


def test_random_state_may_be_none_or_a_generator():
    def run(random_state):
        options = {"n_terms": 20, "batch_size": 3, "maxiter": 3, "random_state": random_state}
        return minimize(lambda x, i: (i.mean() * x[0] ** 2, i.mean() * 2 * x), [1.0], jac=True, method="sgd",
                        options=options).x[0]  # fmt: skip

    assert run(np.random.default_rng(3)) == run(np.random.default_rng(3)) != run(np.random.default_rng(4))
    assert np.isfinite(run(None)) and np.isfinite(run(np.random.RandomState(0)))
    with pytest.raises(TypeError, match="random_state"):
        run("seed")


@pytest.mark.parametrize("how", ["python", "pair of functions", "in place", "in place jitted", "C differences"])
def test_any_caller_sees_the_same_batches(how):
    expected = least()
    value = lambda x, indices, A, b: some_rows(x, indices, A, b)[0]  # noqa: E731
    if how == "python":
        result = least(some_rows)
    elif how == "pair of functions":
        result = least(value, jac=lambda x, indices, A, b: some_rows(x, indices, A, b)[1])
    elif how == "C differences":
        result = least(numba.njit(lambda x, k, A, b: SOME_ROWS(x, k, A, b)[0]), jac="3-point")
        assert np.allclose(result.x, expected.x, rtol=1e-6)
        return
    else:

        def into(x, g, indices, A, b):
            f, slope = SOME_ROWS(x.copy(), indices, A, b)
            g[:] = slope
            return f

        result = least(numba.njit(into) if "jitted" in how else into, jac="inplace")
    assert np.allclose(result.x, expected.x, rtol=1e-12) and result.nfev == expected.nfev


@pytest.mark.parametrize("method", ["sgd", "adam", "amsgrad"])
@pytest.mark.parametrize("more", [{}, {"average": "plain"}, {"schedule": "adaptive", "patience": 1}])
def test_resume_is_bit_for_bit_within_an_epoch(method, more, tmp_path):
    whole = least(method=method, **more)
    for cut in (1, 3, 6, 7, 8, 20):
        part = least(method=method, maxfev=cut, **more)
        assert part.status is Status.MAXFEV and part.nfev == cut
        part.save(tmp_path / "run.npz")
        resumed = numopt.resume(tmp_path / "run.npz", SOME_ROWS, (ROWS, TARGETS), jac=True, options={"maxfev": 10**6})
        assert np.array_equal(resumed.x, whole.x) and resumed.fun == whole.fun
        assert resumed.nit == whole.nit and resumed.n_updates == whole.n_updates


def test_resume_with_a_function_as_schedule():
    schedule = lambda t: 0.1 / (1.0 + t)  # noqa: E731
    whole, part = least(schedule=schedule), least(schedule=schedule, maxiter=2)
    with pytest.raises(ValueError, match="give it again as option 'schedule'"):
        numopt.resume(part, SOME_ROWS, (ROWS, TARGETS), jac=True)
    resumed = numopt.resume(part, SOME_ROWS, (ROWS, TARGETS), jac=True, options={"maxiter": 6, "schedule": schedule})
    assert np.array_equal(resumed.x, whole.x)
    with pytest.raises(ValueError, match="'batch_size' can't be changed in a run: it is 5; got 4"):
        numopt.resume(part, SOME_ROWS, (ROWS, TARGETS), jac=True, options={"batch_size": 4, "schedule": schedule})


def test_all_terms_at_once_are_a_plain_function():
    indices = np.arange(N_ROWS)
    plain = minimize(lambda x: SOME_ROWS(x, indices, ROWS, TARGETS), np.zeros(4), jac=True, method="nesterov",
                     options={"step": 0.05, "maxiter": 30})  # fmt: skip
    for size in (None, N_ROWS):
        batch = {"batch_size": size} if size else {}
        result = minimize(SOME_ROWS, np.zeros(4), (ROWS, TARGETS), method="nesterov", jac=True,
                          options={"n_terms": N_ROWS, "step": 0.05, "maxiter": 30, **batch})  # fmt: skip
        assert np.allclose(result.x, plain.x, rtol=1e-13)
    assert least(batch_size=1, maxiter=2).n_updates == 2 * N_ROWS


def test_minimum_of_a_sum_is_tested_by_the_whole_gradient():
    options = {"step": 0.1, "schedule": "inverse-time", "kappa": 0.01, "average": "exponential", "average_decay": 0.98}
    result = least(method="sgd", gtol=1e-3, maxiter=500, history=True, **options)
    best = np.linalg.lstsq(ROWS, TARGETS, rcond=None)[0]
    assert result.status is Status.GRADIENT and np.abs(result.x - best).max() < 1e-2
    assert np.abs(whole(result.x)[1]).max() <= 1e-3
    assert len(result.history) == result.nit + 1


def test_bounds_and_fixed_variables_of_a_sum():
    bounds, options = [(0, 0.5), (None, None), (0.2, 0.2), (0, 9)], {"n_terms": N_ROWS, "batch_size": 4}
    result = minimize(SOME_ROWS, [0.0, 0.0, 0.2, 0.0], (ROWS, TARGETS), method="sgd", jac=True, bounds=bounds,
                      options=options | {"step": 0.05, "maxiter": 20})  # fmt: skip
    assert result.x[0] <= 0.5 and result.x[2] == 0.2 and result.n_updates == 120
    assert result.fun == whole(result.x)[0]


@pytest.mark.parametrize("jitted", [True, False])
def test_an_exception_in_a_batch_shows_itself(jitted):
    def fun(x, indices, A, b):
        if indices.size == 3:
            raise ValueError("three")
        return some_rows(x, indices, A, b) if not jitted else SOME_ROWS(x, indices, A, b)

    with pytest.raises(ValueError, match="three") as caught:
        least(numba.njit(fun) if jitted else fun)
    assert caught.value.result.nit == 0 and caught.value.result.n_updates == 4


def test_not_a_number_in_a_batch_ends_the_run_with_the_best_point():
    result = least(method="sgd", step=1e9, maxiter=300)
    assert result.status is Status.NAN and np.isfinite(result.fun) and not result.x.any()


@pytest.mark.parametrize(
    ("options", "error", "match"),
    [
        ({"batch_size": 24}, ValueError, "'batch_size' must be at most n_terms, 23; got 24"),
        ({"batch_size": 0}, ValueError, "'batch_size' must be at least 1; got 0"),
        ({"n_terms": 2.5}, TypeError, "'n_terms' must be an integer; got 2.5"),
        ({"n_terms": None}, ValueError, "'batch_size' needs option 'n_terms'"),
        ({"schedule": "linear"}, ValueError, "'schedule' must be one of 'constant', .* or a function .*; got 'linear'"),
        ({"schedule": lambda t: -t}, ValueError, "'schedule' must return positive numbers; at t = 0 it"),
        ({"average": "mean"}, ValueError, "'average' must be one of 'none', 'plain', 'exponential'; got 'mean'"),
        ({"beta_1": 1.0}, ValueError, "'beta_1' must be at least 0 and below 1; got 1"),
        ({"step": 0.0}, ValueError, "'step' must be positive; got 0"),
        ({"learning_rate": -1.0}, ValueError, "'learning_rate' must be at least 0; got -1"),
        ({"clip_norm": 0.0}, ValueError, "'clip_norm' must be positive; got 0"),
        ({"l1": math.inf}, ValueError, "'l1' must be finite; got inf"),
    ],
)
def test_bad_options_are_refused(options, error, match):
    with pytest.raises(error, match=match):
        least(**options)


def test_c_functions_take_no_indices():
    pointer = numba.cfunc("float64(intp, intp, intp)")(lambda x, n, data: 1.0)
    with pytest.raises(ValueError, match="'n_terms' needs Python or jitted functions"):
        minimize(pointer, [1.0], method="sgd", options={"n_terms": 3})


def test_inside_compiled_code():
    @numba.njit
    def fun(x, g, data):
        f = 0.0
        for i in range(x.size):
            g[i] = (i + 1.0) * (x[i] - 1.0)
            f += 0.5 * g[i] * (x[i] - 1.0)
        return f

    options = {"step": 0.1, "maxiter": 50, "average": "exponential", "average_decay": 0.5, "clip_norm": 1.0}
    adam = numopt.jit_solver("adam", **options)
    x, f, _, _, nit, _ = numba.njit(lambda: adam(fun, np.array([3.0, -2.0])))()
    same = minimize(well, [3.0, -2.0], jac=True, method="adam", options=options)
    assert nit == 50 and np.allclose(x, same.x, rtol=1e-12) and f == pytest.approx(same.fun)
    with pytest.raises(ValueError, match="'l1' has no meaning inside compiled code"):
        numopt.jit_solver("adam", l1=0.1)


def test_the_catalogue_has_all_of_them():
    rows = [row for row in METHODS.values() if row.unit == "first-order"]
    assert [row.name for row in rows] == RULES and [row.vectors for row in rows] == list(o.N_VECTORS)
