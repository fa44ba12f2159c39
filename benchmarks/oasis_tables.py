"""Markdown tables of ``results/oasis_protocol.json``; every row is marked measured here by its document."""

from __future__ import annotations

from typing import Any

from record import table

CROWD = "crowd oracle"


def _label(name: str) -> str:
    return name if name == CROWD else f"`{name}`"


def _mean_std(cell: dict[str, Any]) -> str:
    return f"{cell['srcc']:.3f}±{cell['std_over_repeats']:.3f}"


def _interval(cell: dict[str, Any]) -> str:
    """Over people and photos; of figures from before that was drawn, over people."""
    low, high = cell.get("two_way", cell["interval"])
    return "" if low is None else f" [{low:.3f}, {high:.3f}]"


def _draws_photos(rows: dict[str, Any]) -> bool:
    """Whether the figures have intervals over photos too."""
    return all("two_way" in cell for cells in rows.values() for cell in cells.values())


def _brackets(rows: dict[str, Any]) -> str:
    """What the brackets of a table are."""
    photos = _draws_photos(rows)
    over = "people and photos, by a two-way bootstrap" if photos else "people, by a bootstrap"
    return f"\n\nIn brackets: 95 % interval over {over}."


def _ratings(k: str) -> str:
    return f"{k} rating{'s' * (k != '1')}"


def main_table(results: dict[str, Any]) -> str:
    """README: SRCC of every adapter on the people of list 3, with its interval."""
    rows = results["left_out"]["list 3"]
    shots = list(rows["generic"])
    photos = _draws_photos(rows)  # an interval over people alone would promise too much here
    lines = [
        [_label(name), *(f"{_mean_std(cells[k])}{_interval(cells[k]) if photos else ''}" for k in shots)]
        for name, cells in rows.items()
    ]
    covered = [f"{100 * rows['auto'][k]['coverage']:.0f} %" for k in shots]
    lines.append(["`auto`, share of ratings in the 80 % interval", *covered])
    made = table(["adapter", *map(_ratings, shots)], lines)
    return made + _brackets(rows) if photos else made


def lists_table(results: dict[str, Any]) -> str:
    """Model card: every adapter on every list left out, with its interval."""
    lines, shots = [], list(results["left_out"]["list 3"]["generic"])
    for test, rows in results["left_out"].items():
        for name, cells in rows.items():
            values = [f"{_mean_std(cells[k])}{_interval(cells[k])}" for k in shots]
            dropped = max(cell["dropped_cells"] for cell in cells.values())
            people = max(cell["users"] + cell["dropped_users"] for cell in cells.values())
            lines.append([f"{test} ({people} users)", _label(name), *values, str(dropped)])
    made = table(["list left out", "adapter", *(f"k = {k}" for k in shots), "dropped, at most"], lines)
    return made + _brackets(rows)


def matrix_table(results: dict[str, Any]) -> str:
    """Model card: training list against tested list, one block of rows for each adapter and k."""
    lines = []
    tests = sorted({cell["test"] for matrix in results["matrix"] for cell in matrix["cells"]})
    for matrix in results["matrix"]:
        cells = {(cell["train"], cell["test"]): cell for cell in matrix["cells"]}
        for train in sorted({train for train, _ in cells}):
            values = [_mean_std(cells[train, test]) for test in tests]
            lines.append([f"{_label(matrix['adapter'])}, k = {matrix['k']}", train, *values])
    return table(["adapter", "trained on", *(f"tested on {test}" for test in tests)], lines)


def comparisons_table(results: dict[str, Any]) -> str:
    """Model card: what an adapter gains, paired over people."""
    lines = [
        [
            f"{pair['test']}, k = {pair['k']}",
            f"`{pair['adapter']}` − `{pair['against']}`",
            f"{pair['difference']:+.3f}",
            str(pair["users"]),
            f"{pair['p_holm']:.2g}",
        ]
        for pair in results["comparisons"]
    ]
    return table(["test", "pair", "mean difference in SRCC", "users", "p"], lines)


def below_table(results: dict[str, Any]) -> str:
    """Adapters page: whom ``auto`` ranks worse than the crowd's score does."""
    found = {(one["test"], one["k"]): one for one in results["below_the_crowd"]}
    tests, shots = (sorted({key[place] for key in found}) for place in (0, 1))
    lines = [
        [
            test,
            *(
                f"{100 * one['below']:.0f} %, {one['one_in_twenty']:+.3f}, {one['worst']:+.3f}"
                for one in (found[test, k] for k in shots)
            ),
        ]
        for test in tests
    ]
    return table(["list left out", *(f"k = {k}" for k in shots)], lines)


def coverage_table(results: dict[str, Any]) -> str:
    """Model card: share of ratings to predict that lie in the 80 % interval, of adapters that give one."""
    lines, shots = [], list(results["left_out"]["list 3"]["generic"])
    for test, rows in results["left_out"].items():
        for name, cells in rows.items():
            shares = [cells[k]["coverage"] for k in shots]
            if None not in shares:
                lines.append([test, _label(name), *(f"{100 * share:.1f} %" for share in shares)])
    return table(["list left out", "adapter", *(f"k = {k}" for k in shots)], lines)


def costs_table(results: dict[str, Any]) -> str:
    """Model card: what one person costs."""
    lines = [
        [_label(name), *(f"{cell['fit_ms']:.2f} ms, {cell['bytes']:,} B" for cell in cells.values())]
        for name, cells in results["costs"].items()
    ]
    return table(["adapter", *(f"k = {k}" for k in results["config"]["shots"])], lines)
