"""Sums of squares with sparse Jacobians: answers, products, groups of columns, bounds, losses, ends of a run."""

import threading
import time
import tracemalloc

import numpy as np
import pytest
import scipy.optimize
import scipy.sparse
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import carray, cfunc, njit, types
from scipy.sparse.linalg import LinearOperator, aslinearoperator

from numopt import LeastSquaresStatus, least_squares
from numopt.callbacks.sparse_residuals import Groups
from numopt.catalog import SQUARES
from numopt.kernels.oracle import void_pointer

N = 300
EXACT = {"ftol": 1e-14, "xtol": 1e-14, "gtol": 1e-12}


def broyden(x):
    """Broyden's tridiagonal function."""
    r = (3.0 - 2.0 * x) * x + 1.0
    r[1:] -= x[:-1]
    r[:-1] -= 2.0 * x[1:]
    return r


jitted_broyden = njit(broyden)


def broyden_jacobian(x):
    n = x.size
    return scipy.sparse.diags_array([-np.ones(n - 1), 3.0 - 4.0 * x, -2.0 * np.ones(n - 1)], offsets=[-1, 0, 1])


def pattern(n=N):
    return scipy.sparse.diags_array([1.0] * 3, offsets=[-1, 0, 1], shape=(n, n))


def operator(x):
    return aslinearoperator(broyden_jacobian(x).tocsr())


class Bundle:
    """Cameras (x, y, log distance) that see points in space, each in two coordinates; some observations are wrong."""

    def __init__(self, cameras=6, points=40, seen=4, seed=0):
        rng = np.random.default_rng(seed)
        C = np.column_stack([rng.uniform(-1, 1, (cameras, 2)), np.log(rng.uniform(4, 6, cameras))])
        P = rng.uniform(-1.0, 1.0, (points, 3))
        self.camera = np.concatenate([rng.choice(cameras, seen, replace=False) for _ in range(points)])
        self.point, self.cameras = np.repeat(np.arange(points), seen), cameras
        self.truth = np.concatenate([C.ravel(), P.ravel()])
        self.seen = np.zeros((self.camera.size, 2))
        self.seen = self.fun(self.truth).reshape(-1, 2) + 1e-3 * rng.standard_normal(self.seen.shape)
        self.seen[rng.random(self.camera.size) < 0.05] += 0.3
        self.x0 = self.truth + 0.05 * rng.standard_normal(self.truth.size)

    def _parts(self, x):
        split = 3 * self.cameras
        return x[:split].reshape(-1, 3)[self.camera], x[split:].reshape(-1, 3)[self.point]

    def fun(self, x):
        c, X = self._parts(x)
        return ((X[:, :2] - c[:, :2]) / (np.exp(c[:, 2:]) + X[:, 2:]) - self.seen).ravel()

    def jac(self, x):
        c, X = self._parts(x)
        depth = np.exp(c[:, 2]) + X[:, 2]
        J = np.zeros((self.camera.size, 2, 6))
        for k in range(2):
            J[:, k, k], J[:, k, 3 + k] = -1.0 / depth, 1.0 / depth
            J[:, k, 5] = -(X[:, k] - c[:, k]) / depth**2
            J[:, k, 2] = J[:, k, 5] * np.exp(c[:, 2])
        columns = np.hstack(
            [3 * self.camera[:, None] + np.arange(3), 3 * (self.cameras + self.point[:, None]) + range(3)]
        )
        rows = np.repeat(np.arange(2 * self.camera.size), 6)
        return scipy.sparse.coo_array(
            (J.ravel(), (rows, np.repeat(columns, 2, axis=0).ravel())), (rows.size // 6, x.size)
        )


class TestAnswers:
    @pytest.mark.parametrize("method", [name for name in ("lm", "trf", "dogbox") if name in SQUARES])
    @pytest.mark.parametrize("form", ["csr_matrix", "coo_array", "csc_array", "operator", "2-point", "3-point", "cs"])
    @pytest.mark.parametrize("jit", [False, True])
    def test_all_forms_of_a_jacobian_lead_to_the_root(self, method, form, jit):
        fun = jitted_broyden if jit else broyden
        sparsity = None
        if form == "operator":
            jac = operator
        elif form[0] in "23" or form == "cs":
            jac, sparsity = form, pattern()
        else:
            jac = lambda x: getattr(scipy.sparse, form)(broyden_jacobian(x))  # noqa: E731
        result = least_squares(fun, -np.ones(N), jac, method=method, jac_sparsity=sparsity)
        assert result.success and result.cost < 1e-16
        np.testing.assert_array_equal(result.fun, broyden(result.x))
        J, expected = result.jac, broyden_jacobian(result.x).toarray()
        if form == "operator":
            assert isinstance(J, LinearOperator)
            np.testing.assert_array_equal(J @ np.eye(N), expected)
        else:
            assert scipy.sparse.issparse(J) and J.nnz == 3 * N - 2
            np.testing.assert_allclose(J.toarray(), expected, atol=1e-6 if form == "2-point" else 1e-8)
        np.testing.assert_allclose(result.grad, J.T @ result.fun, atol=1e-12)

    @pytest.mark.parametrize("loss", ["linear", "soft_l1", "huber", "cauchy", "arctan", "callable"])
    @pytest.mark.parametrize("form", ["matrix", "operator", "3-point"])
    def test_a_bundle_of_cameras_with_losses(self, loss, form):
        """As low as the dense path comes, whose steps are exact; J and r have the loss in them as scipy's have."""
        b = Bundle()
        if loss == "callable":
            loss = lambda z: np.array([np.log1p(z), 1 / (1 + z), -1 / (1 + z) ** 2])  # noqa: E731
        options = {"loss": loss, "f_scale": 0.01, "xtol": None, "gtol": None, "ftol": 1e-10}
        if form == "3-point":
            result = least_squares(b.fun, b.x0, form, jac_sparsity=b.jac(b.x0), **options)
        else:
            jac = b.jac if form == "matrix" else lambda x: aslinearoperator(b.jac(x).tocsr())
            result = least_squares(b.fun, b.x0, jac, **options)
        dense = least_squares(b.fun, result.x, b.jac, tr_solver="exact", **options)
        assert result.success and result.cost <= dense.cost * (1 + 1e-6)
        assert result.nfev < 60
        theirs = scipy.optimize.least_squares(
            b.fun, result.x, lambda x: b.jac(x).toarray(), method="trf", max_nfev=1, loss=loss, f_scale=0.01
        )
        np.testing.assert_allclose(result.grad, theirs.grad, atol=1e-7)
        if loss == "soft_l1":  # elsewhere scipy's weights differ where the second derivative is negative
            J = result.jac @ np.eye(b.x0.size)
            weights = np.linalg.norm(J, axis=1) / np.linalg.norm(theirs.jac, axis=1)
            assert (weights > 0.99).all()

    @given(seed=st.integers(0, 10**6))
    @settings(max_examples=30, deadline=None)
    def test_linear_problems_in_a_box_end_at_the_minimum_and_never_leave_it(self, seed):
        rng = np.random.default_rng(seed)
        m, n = int(rng.integers(2, 30)), int(rng.integers(1, 12))  # fewer rows than columns too
        A = scipy.sparse.random_array((m, n), density=0.4, rng=rng, format="csr")
        A = A + scipy.sparse.eye_array(m, n)
        b = 3.0 * rng.standard_normal(m)
        lower = np.where(rng.random(n) < 0.7, -rng.random(n), -np.inf)
        upper = np.where(rng.random(n) < 0.7, rng.random(n), np.inf)
        fixed = rng.random(n) < 0.1
        lower[fixed] = upper[fixed] = 0.25
        seen = []

        def fun(x):
            seen.append(x)
            return A @ x - b

        jac = (lambda x: A) if seed % 2 else "2-point"
        start = np.clip(rng.standard_normal(n), lower, upper)
        result = least_squares(fun, start, jac, (lower, upper), jac_sparsity=A)
        free = ~fixed
        best = 0.5 * float(b @ b)
        if free.any():
            rest = b - A[:, fixed] @ lower[fixed]
            best = scipy.optimize.lsq_linear(A[:, free].toarray(), rest, (lower[free], upper[free]), tol=1e-14).cost
            assert result.cost <= best * (1 + 1e-6) + 1e-12
        assert result.success
        assert ((np.array(seen) >= lower) & (np.array(seen) <= upper)).all()
        np.testing.assert_array_equal(result.active_mask[free], ((result.x == upper) * 1 - (result.x == lower))[free])

    @pytest.mark.parametrize("jac", ["2-point", broyden_jacobian, operator])
    def test_bounds_that_hold_many_variables(self, jac):
        upper = np.where(np.arange(N) % 3 == 0, -0.72, np.inf)
        options = {"bounds": (np.full(N, -1.5), upper), "jac_sparsity": pattern()}
        ours = least_squares(broyden, -np.ones(N), jac, **options)
        theirs = scipy.optimize.least_squares(broyden, -np.ones(N), method="trf", tr_solver="lsmr", **options)
        assert ours.success and ours.cost <= theirs.cost
        assert ours.nfev < theirs.nfev  # 5 and 18
        at_bound = ours.x == upper
        assert at_bound.sum() == 100 and (ours.active_mask == at_bound).all()
        assert (ours.grad[at_bound] < 0).all() and np.abs(ours.grad[~at_bound]).max() < 1e-4

    def test_x_scale_is_the_scaling_of_the_variables(self):
        scale = np.where(np.arange(N) < 9, 4.0, 0.5)  # few sizes: LSMR ends before rounding shows
        options = {"options": {"return_all": True}, "max_nfev": 4}
        one = least_squares(broyden, -np.ones(N), broyden_jacobian, x_scale=scale, **options)
        other = least_squares(
            lambda u: broyden(u * scale),
            -1.0 / scale,
            lambda u: broyden_jacobian(u * scale) * scale,
            x_scale=1.0,
            **options,
        )
        np.testing.assert_allclose(one.allvecs, np.array(other.allvecs) * scale, rtol=1e-6)

    def test_arguments_and_keywords(self):
        fun = lambda x, a, shift=0.0: a * broyden(x) - shift  # noqa: E731
        compiled = njit(lambda x, a, shift=0.0: a * jitted_broyden(x) - shift)
        jac = lambda x, a, shift=0.0: a * broyden_jacobian(x)  # noqa: E731
        sparsity = {"jac_sparsity": pattern()}
        root = least_squares(lambda x: broyden(x) - 0.25, -np.ones(N), jac_sparsity=pattern()).x
        for f, j, more in ((fun, jac, {}), (fun, "cs", sparsity), (compiled, "2-point", sparsity), (compiled, jac, {})):
            result = least_squares(f, -np.ones(N), j, args=(2.0,), kwargs={"shift": 0.5}, **more)
            np.testing.assert_allclose(result.x, root, atol=1e-8)

    def test_dense_jacobians_through_lsmr(self):
        dense = lambda x: broyden_jacobian(x).toarray()  # noqa: E731
        runs = [
            least_squares(broyden, -np.ones(40), jac, tr_solver="lsmr") for jac in (dense, njit(lambda x: np.eye(40)))
        ]
        assert scipy.sparse.issparse(runs[0].jac) and runs[0].cost < 1e-16
        assert scipy.sparse.issparse(least_squares(broyden, -np.ones(40), tr_solver="lsmr").jac)
        assert runs[1].jac.nnz == 40

    def test_c_function(self):
        @cfunc(types.float64(*[types.intp] * 5))
        def residual(xp, rp, n, m, data):
            x, r = carray(void_pointer(xp), (n,), types.float64), carray(void_pointer(rp), (m,), types.float64)
            for i in range(n):
                r[i] = x[i] * x[i] - i - 1.0
            return 0.0

        result = least_squares(residual, np.ones(5), jac_sparsity=np.eye(5), options={"m": 5})
        np.testing.assert_allclose(result.x, np.sqrt(np.arange(1.0, 6.0)), rtol=1e-8)


class TestWork:
    def test_no_dense_matrix(self):
        n = 20_000
        least_squares(broyden, -np.ones(10), jac_sparsity=pattern(10))
        tracemalloc.start()
        result = least_squares(broyden, -np.ones(n), jac_sparsity=pattern(n))
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert result.success and peak < 100 * 8 * n

    def test_evaluations_of_grouped_differences(self):
        """Three groups for a band of three, whatever n; jac at the start is called once."""
        calls = []
        fun = lambda x: (calls.append(0), broyden(x))[1]  # noqa: E731
        result = least_squares(fun, -np.ones(N), jac_sparsity=pattern())
        assert len(calls) == result.nfev + 3 * result.njev
        calls.clear()
        jac = lambda x: (calls.append(0), broyden_jacobian(x))[1]  # noqa: E731
        result = least_squares(broyden, -np.ones(N), jac)
        assert len(calls) == result.njev
        calls.clear()
        dense = lambda x: (calls.append(0), broyden_jacobian(x).toarray())[1]  # noqa: E731
        result = least_squares(broyden, -np.ones(30), dense)
        assert len(calls) == result.njev

    @given(seed=st.integers(0, 10**6))
    @settings(max_examples=50, deadline=None)
    def test_columns_of_a_group_share_no_row(self, seed):
        rng = np.random.default_rng(seed)
        m, n = rng.integers(1, 20, 2)
        A = scipy.sparse.csr_array(rng.random((m, n)) < rng.random())
        groups = Groups(A)
        assert sorted(groups.members) == list(range(n))
        for a in range(len(groups)):
            mine = groups.members[groups.pointers[a] : groups.pointers[a + 1]]
            assert mine.size and A[:, mine].sum(axis=1).max(initial=0) <= 1
        columns = np.repeat(groups.members, np.diff(groups.entry_pointers))
        np.testing.assert_array_equal(A.indices[groups.places], columns)
        rows = np.repeat(np.arange(m), np.diff(A.indptr))
        np.testing.assert_array_equal(rows[groups.places], groups.rows)
        assert len(groups) >= A.sum(axis=1).max(initial=1)

    def test_the_fullest_columns_first_where_that_takes_fewer_groups(self):
        """The order given needs 13, a band in its own order as many as it is wide."""
        A = scipy.sparse.csr_array(np.random.default_rng(10).random((40, 50)) < 0.1)
        assert len(Groups(A)) == 10
        assert len(Groups(pattern().tocsr())) == 3

    def test_patterns_and_duplicates_that_change_from_call_to_call(self):
        def jac(x):
            J = broyden_jacobian(x).tocsr()
            if x[0] == -1.0:
                return J
            # after the first call each entry is there in two parts, columns out of order
            parts = scipy.sparse.hstack([0.25 * J, 0.75 * J], format="csr")
            return scipy.sparse.csr_array((parts.data, parts.indices % N, parts.indptr), J.shape)

        plain = least_squares(broyden, -np.ones(N), broyden_jacobian)
        result = least_squares(broyden, -np.ones(N), jac)
        assert result.nfev == plain.nfev and result.jac.nnz == 3 * N - 2
        np.testing.assert_allclose(result.x, plain.x, rtol=1e-12)

    def test_what_jac_returns_is_not_kept_nor_changed(self):
        J = broyden_jacobian(np.zeros(N)).tocsr()

        def jac(x):
            J.data[:] = broyden_jacobian(x).tocsr().data
            return J

        result = least_squares(broyden, -np.ones(N), jac, loss="soft_l1")
        before = result.jac.toarray()
        J.data[:] = np.nan
        np.testing.assert_array_equal(result.jac.toarray(), before)
        J.data[:] = 1.0
        least_squares(broyden, -np.ones(N), lambda x: J, loss="soft_l1", max_nfev=2)
        assert (J.data == 1.0).all()


class TestEnds:
    def test_statuses(self):
        b = Bundle()
        run = lambda **more: least_squares(b.fun, b.x0, b.jac, **more)  # noqa: E731
        assert run(ftol=None, xtol=None, gtol=1e-5).status is LeastSquaresStatus.GTOL
        assert run(xtol=None, gtol=None).status is LeastSquaresStatus.FTOL
        assert run(ftol=None, gtol=None, xtol=1e-5).status is LeastSquaresStatus.XTOL
        assert run(max_nfev=2).status is LeastSquaresStatus.MAX_NFEV
        assert run(options={"maxiter": 2}).status is LeastSquaresStatus.MAXITER
        cut = run(options={"max_time": 1e-9})
        assert cut.status is LeastSquaresStatus.MAX_TIME and cut.jac.shape == (320, 138)

        def stop(x):
            raise StopIteration

        assert run(callback=stop).status is LeastSquaresStatus.CALLBACK

    def test_history_and_callback(self):
        seen = []
        b = Bundle()
        result = least_squares(
            b.fun, b.x0, b.jac, callback=lambda x: seen.append(x), options={"history": True, "return_all": True}
        )
        assert len(seen) == result.nit == len(result.allvecs) - 1 > 3
        np.testing.assert_array_equal(seen[-1], result.x)
        assert (np.diff(result.history["f"]) <= 0).all() and result.history["f"][-1] == result.cost

    def test_residuals_that_are_infinite_midway_are_stepped_back_from(self):
        fun = lambda x: np.log(x) - np.log(3.0)  # noqa: E731
        with np.errstate(invalid="ignore", divide="ignore"):
            result = least_squares(fun, np.full(20, 50.0), lambda x: scipy.sparse.diags_array(1.0 / x))
        assert result.nfev > result.njev
        np.testing.assert_allclose(result.x, 3.0, rtol=1e-7)

    def test_a_jacobian_that_is_not_finite_midway_is_stepped_back_from(self):
        first = []

        def jac(x):
            first.append(0)
            return broyden_jacobian(x) * (np.nan if len(first) == 2 else 1.0)

        result = least_squares(broyden, -np.ones(N), jac)
        assert result.success and result.cost < 1e-16

    def test_a_wrong_jacobian_is_no_success(self):
        result = least_squares(broyden, -np.ones(N), lambda x: -broyden_jacobian(x))
        assert result.status is LeastSquaresStatus.NO_STEP and not result.success
        fun = lambda x: broyden(x) * (1.0 if (x == -1).all() else np.nan)  # noqa: E731
        assert least_squares(fun, -np.ones(N), broyden_jacobian).status is LeastSquaresStatus.NAN

    @pytest.mark.parametrize("where", ["fun", "jac", "matvec", "rmatvec"])
    def test_exceptions_pass_through_with_the_best_result(self, where):
        calls = []

        def fails(role):
            calls.append(role)
            if role == where and calls.count(role) > 4:
                raise RuntimeError("enough")

        def jac(x):
            fails("jac")
            J = broyden_jacobian(x).tocsr()
            return LinearOperator(
                J.shape, lambda v: (fails("matvec"), J @ v)[1], rmatvec=lambda u: (fails("rmatvec"), J.T @ u)[1]
            )

        with pytest.raises(RuntimeError, match="enough") as caught:
            least_squares(lambda x: (fails("fun"), broyden(x))[1], -np.ones(N), jac)
        assert caught.value.result.cost <= 0.5 * (broyden(-np.ones(N)) ** 2).sum()

    def test_jitted_exceptions_pass_through(self):
        @njit
        def fun(x):
            if x[0] < -1.0:
                raise ValueError("too small")
            return x + 2.0

        with pytest.raises(ValueError, match="too small"):
            least_squares(fun, np.zeros(4), jac_sparsity=np.eye(4))

    def test_time_runs_out_within_the_products_of_one_step(self):
        """An ill-conditioned operator with slow products: 1603 of them for the first step."""
        n, products = 400, []
        J = scipy.sparse.diags_array([-np.ones(n - 1), np.full(n, 2.0), -np.ones(n - 1)], offsets=[-1, 0, 1]).tocsr()

        def slow(v):
            products.append(0)
            time.sleep(0.002)
            return J @ v

        op = LinearOperator(J.shape, slow, rmatvec=lambda u: J.T @ u)
        options = {"max_time": 0.1, "factor": 1e9}
        result = least_squares(lambda x: J @ x - 1.0, np.zeros(n), lambda x: op, options=options)
        assert result.status is LeastSquaresStatus.MAX_TIME and result.nfev == 1 and 1 < len(products) < 100

    def test_ctrl_c(self):
        import _thread

        timer = threading.Timer(0.2, _thread.interrupt_main)

        def fun(x):
            time.sleep(0.01)
            return np.arctan(x) + 1e-3 * x - np.sin(37.0 * time.perf_counter())

        timer.start()
        try:
            with pytest.raises(KeyboardInterrupt) as caught:
                for _ in range(1000):
                    least_squares(fun, np.full(50, 20.0), jac_sparsity=np.eye(50), options={"maxiter": 10**6})
        finally:
            timer.cancel()
        assert getattr(caught.value, "result", None) is None or caught.value.result.x.size == 50


class TestRefused:
    @pytest.mark.parametrize(
        "change, message",
        [
            ({"method": "marquardt"}, "takes no sparse Jacobian: 'lm', 'trf', 'dogbox' do"),
            ({"tr_solver": "svd"}, "tr_solver must be None, 'exact' or 'lsmr'; got 'svd'"),
            (
                {"jac": "2-point", "jac_sparsity": np.eye(3)},
                r"jac_sparsity must have shape \(300, 300\); got shape \(3, 3\)",
            ),
            ({"jac": "2-point", "jac_sparsity": "band"}, "jac_sparsity must be an array or a sparse matrix"),
            ({"jac": "2-point", "jac_sparsity": pattern(), "tr_solver": "exact"}, "incompatible with jac_sparsity"),
            ({"tr_options": {"iter": 3}}, "unknown option 'iter' in tr_options; known are maxiter, atol, damp"),
            ({"tr_options": {"maxiter": 0}}, "'maxiter' in tr_options must be a positive integer; got 0"),
            ({"tr_options": {"damp": -1.0}}, "'damp' in tr_options must be a number >= 0; got -1"),
            ({"jac": operator, "x_scale": "jac"}, "x_scale='jac' needs the columns"),
            (
                {"jac": lambda x: scipy.sparse.eye_array(3)},
                r"jac must return a matrix of shape \(300, 300\); it returned",
            ),
            ({"jac": lambda x: aslinearoperator(np.eye(3))}, r"jac must return a matrix of shape \(300, 300\)"),
        ],
    )
    def test_one_clear_error(self, change, message):
        with pytest.raises(ValueError, match=message):
            least_squares(broyden, -np.ones(N), **{"jac": broyden_jacobian} | change)

    def test_types(self):
        with pytest.raises(TypeError, match="jac must return real numbers; it returned complex128 data"):
            least_squares(broyden, -np.ones(N), lambda x: broyden_jacobian(x) * 1j)
        with pytest.raises(TypeError, match="tr_options must be a dict, not list"):
            least_squares(broyden, -np.ones(N), broyden_jacobian, tr_options=[1])
        with pytest.raises(TypeError, match="needs a fun that returns complex numbers"):
            least_squares(lambda x: broyden(x.real), -np.ones(N), "cs", jac_sparsity=pattern())
        with pytest.raises(TypeError, match="fun with jac='cs'"):
            least_squares(njit(lambda x: np.floor(x)), np.ones(3), "cs", jac_sparsity=np.eye(3))

    def test_options_of_lsmr(self):
        """Looser steps take more of them; scipy's other names are accepted."""
        counts = []
        for tr_options in ({"maxiter": 1}, {"atol": 0.3}, {"damp": 3.0}, {"btol": 1e-3, "regularize": True}):
            result = least_squares(broyden, -np.ones(N), broyden_jacobian, tr_options=tr_options)
            assert result.success
            counts.append(result.nfev)
        assert min(counts[:3]) > counts[3] == least_squares(broyden, -np.ones(N), broyden_jacobian).nfev


@pytest.mark.parametrize("form", ["matrix", "operator", "2-point"])
@pytest.mark.parametrize("loss", ["soft_l1", "cauchy"])
def test_the_jacobian_of_a_result_has_the_weights_of_a_dense_one(form, loss):
    """Those of the run have a floor, which a covariance must not know of."""
    t = np.linspace(0.0, 2.0, 30)
    y = 3.0 * np.exp(-1.5 * t) + 0.01 * np.cos(40.0 * t)
    y[::7] += 2.0
    fun = lambda b: b[0] * np.exp(-b[1] * t) - y  # noqa: E731
    dense = lambda b: np.column_stack([np.exp(-b[1] * t), -b[0] * t * np.exp(-b[1] * t)])  # noqa: E731
    jac, sparsity = form, np.ones((30, 2))
    if form != "2-point":
        make = scipy.sparse.csr_array if form == "matrix" else scipy.sparse.linalg.aslinearoperator
        jac, sparsity = lambda b: make(dense(b)), None
    result = least_squares(fun, [2.0, 1.0], jac, loss=loss, f_scale=0.05, jac_sparsity=sparsity)
    reference = scipy.optimize.least_squares(fun, result.x, dense, loss=loss, f_scale=0.05, max_nfev=1)
    np.testing.assert_allclose(result.jac @ np.eye(2), reference.jac, atol=1e-5 * abs(reference.jac).max())
