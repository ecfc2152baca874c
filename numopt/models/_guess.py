"""Starting values, by separating the linear parameters from the others.

Each term of a model is a sum of columns times linear parameters; the columns depend on the other parameters theta.  For
given theta the best linear parameters are those of linear least squares, and what columns B take off the sum of squares
beside the columns Q of the other terms is v' S^-1 v, S = B'B - B'Q Q'B, v = B'r, r = y - Q Q'y.  So many theta are
compared at the price of one product.

References
----------
G. H. Golub & V. Pereyra, Separable nonlinear least squares: the variable projection method and its applications,
Inverse Problems 19 (2003), R1.
"""

import numpy as np

_ROWS, _MANY_ROWS = 512, 20_000
_SCALES = (1.0, 1.0, 0.5, 0.25, 0.12)
_STARTS = 3  # of each kind of term
_ALIKE = 0.6  # the most that another start may have of the direction of those before, squared


def starting_values(terms, x, y):
    """The parameters of all terms, (n,)."""
    search = Search(terms, *fewer_rows(x, y, any(term._wiggles for term in terms)))
    return search.parameters(max((search.run(first) for first in search.firsts()), key=search.gain))


def fewer_rows(x, y, wiggles):
    """At most so many rows as a guess needs: means over neighbours, or, where these would cancel, some of them."""
    m = y.size
    if wiggles or x.ndim == 2:
        if m <= _MANY_ROWS:
            return x, y
        some = np.sort(np.random.default_rng(0).permutation(m)[:_MANY_ROWS])
        return x[..., some], y[some]
    order = np.argsort(x, kind="stable")
    x, y = x[order], y[order]
    if m <= 2 * _ROWS:
        return x, y
    first = np.linspace(0, m, _ROWS, endpoint=False).astype(int)
    count = np.diff(first, append=m)
    return np.add.reduceat(x, first) / count, np.add.reduceat(y, first) / count


class Candidates:
    """Some theta of a term, (K, q), the unit columns that they make, (K, L, m), and B'B."""

    def __init__(self, thetas, B):
        with np.errstate(all="ignore"):
            size = np.sqrt((B * B).sum(axis=-1, keepdims=True))
            B = np.where(np.isfinite(size) & (size > 0.0), B / size, 0.0)
        self.thetas, self.B, self.S = thetas, B, B @ B.swapaxes(1, 2)

    def __getitem__(self, j):
        """One of them: theta, (q,), and its columns, (L, m)."""
        return self.thetas[j], self.B[j]

    def gains(self, Q, y):
        """What each takes off the sum of squares beside the columns Q, (K,)."""
        K, L, m = self.B.shape
        products = (self.B.reshape(-1, m) @ np.column_stack([Q, y - Q @ (Q.T @ y)])).reshape(K, L, -1)
        C, v = products[..., :-1], products[..., -1].copy()
        S = self.S - C @ C.swapaxes(1, 2)
        gain = np.zeros(K)
        for l in range(L):
            # a column that is next to those that are there already takes nothing off
            d = np.where(S[:, l, l] > 1e-8, S[:, l, l], np.inf)
            gain += v[:, l] ** 2 / d
            for j in range(l + 1, L):
                f = S[:, j, l] / d
                v[:, j] -= f * v[:, l]
                S[:, j] -= f[:, None] * S[:, l]
        return gain


class Search:
    """Choices of theta for all terms: lists of (theta, columns), None where there is none yet."""

    def __init__(self, terms, x, y):
        from numopt.models._compile import compiled

        self.terms, self.x, self.y = terms, x, y
        inputs = max(term.inputs for term in terms)
        self.functions = [compiled((term._term,), term._names, inputs)[0] for term in terms]
        self.curved = [k for k, term in enumerate(terms) if len(term._linear) < len(term._names)]
        self.start = [None if k in self.curved else self.candidates(k, np.empty((1, 0)))[0] for k in range(len(terms))]
        self.grids, self.first = {}, {}  # of one kind: candidates, and the first term of it
        for k in self.curved:
            kind = type(terms[k])
            if kind not in self.grids:
                self.grids[kind], self.first[kind] = self.candidates(k, terms[k]._grid(x, y)), k

    def values(self, k, thetas):
        """Of the columns, (K, L, m)."""
        function, x, P = self.functions[k], self.x, self.terms[k]._columns(thetas)
        rows = [function(x, *p) for p in P.reshape(-1, P.shape[-1]).tolist()]
        return np.concatenate(rows).reshape(*P.shape[:2], self.y.size)

    def candidates(self, k, thetas):
        return Candidates(thetas, self.values(k, thetas))

    def basis(self, chosen, without=None):
        """An orthonormal basis of the columns chosen, but for those of one term, (m, q)."""
        columns = [choice[1] for k, choice in enumerate(chosen) if choice is not None and k != without]
        return np.linalg.qr(np.concatenate(columns).T)[0] if columns else np.zeros((self.y.size, 0))

    def gain(self, chosen):
        return ((self.basis(chosen).T @ self.y) ** 2).sum()

    def firsts(self):
        """Choices of one term beside the polynomials: of several terms, each may explain what is another's."""
        if not self.curved:
            return [self.start]
        found, Q = [], self.basis(self.start)
        for kind, grid in self.grids.items():
            gain = grid.gains(Q, self.y)
            for _ in range(_STARTS if len(self.curved) > 1 else 1):
                j = int(gain.argmax())
                chosen = list(self.start)
                chosen[self.first[kind]] = grid[j]
                found.append(chosen)
                alike = ((grid.B @ grid.B[j].T) ** 2).sum(axis=(1, 2)) / len(grid.B[j])
                gain[alike > _ALIKE] = -1.0
        return found

    def run(self, chosen):
        """All terms: first that which takes most off, then each once more beside the others, more and more closely."""
        while None in chosen:
            Q, left, best = self.basis(chosen), [k for k in self.curved if chosen[k] is None], (-1.0,)
            for kind in dict.fromkeys(type(self.terms[k]) for k in left):
                gain = self.grids[kind].gains(Q, self.y)
                if gain.max() > best[0]:
                    best = gain.max(), kind, int(gain.argmax())
            _, kind, j = best
            chosen[next(k for k in left if type(self.terms[k]) is kind)] = self.grids[kind][j]
        for s in _SCALES:
            for k in self.curved:
                theta = chosen[k][0]
                self.improve(chosen, k, self.candidates(k, np.vstack([theta, self.terms[k]._near(theta, s, self.x)])))
        return chosen

    def improve(self, chosen, k, candidates):
        """The best of the candidates for one term, where it is no worse than what is there."""
        Q = self.basis(chosen, without=k)
        gain = candidates.gains(Q, self.y)
        j = int(gain.argmax())
        if gain[j] >= Candidates(chosen[k][0][None], chosen[k][1][None]).gains(Q, self.y)[0]:
            chosen[k] = candidates[j]

    def parameters(self, chosen):
        """All of them, the linear ones by least squares, (n,); of terms of one kind the highest comes first."""
        columns = [self.values(k, theta[None])[0] for k, (theta, _) in enumerate(chosen)]
        A = np.concatenate(columns).T
        with np.errstate(all="ignore"):
            size = np.sqrt((A * A).sum(axis=0))
            size[~((size > 0.0) & np.isfinite(size))] = np.inf
            A = np.where(np.isinf(size), 0.0, A / size)
        c = np.split(np.linalg.lstsq(A, self.y, rcond=1e-9)[0] / size, np.cumsum([len(part) for part in columns[:-1]]))
        found = [term._assemble(theta, part) for term, (theta, _), part in zip(self.terms, chosen, c, strict=True)]
        height = [np.abs(part @ np.nan_to_num(values)).max() for part, values in zip(c, columns, strict=True)]
        for kind in self.grids:
            places = [k for k in self.curved if type(self.terms[k]) is kind]
            ordered = sorted(places, key=lambda k: -height[k])
            for k, values in zip(places, [found[k] for k in ordered], strict=True):
                found[k] = values
        return np.concatenate(found)
