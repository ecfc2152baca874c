"""Problems with constraints that have no solution, or one that lacks what methods rely on."""

from numopt.problems._rows import named

TABLE, problem = named()
