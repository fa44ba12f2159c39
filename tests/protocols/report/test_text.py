from __future__ import annotations

import csv
import json
import math
import re
from dataclasses import replace
from io import StringIO

import pandas as pd
import pytest

from generic.errors import OutputError
from protocols.datasets.flickr_aes import TEST_WORKERS
from protocols.fewshot.results import Results
from protocols.report.build import collect
from protocols.report.data import COLUMNS, rows, to_csv, to_json
from protocols.report.files import write_report
from protocols.report.grid import (
    detail_grid,
    interval,
    matrix_grids,
    mean_std,
    number,
    p_text,
    slug,
    table_grid,
)
from protocols.report.latex import escape, to_bibtex, to_latex
from protocols.report.published import published_methods
from protocols.report.table import MEASURED, PUBLISHED, Cell
from protocols.report.text import renderables, to_markdown, to_terminal


@pytest.fixture(scope="module")
def crossed(make_results):
    """One adapter, two datasets in each role, one of them with published figures."""
    values = {
        ("list_1", "list_1"): {"ana": [0.5, 0.6], "bo": [0.2, 0.3]},
        ("list_1", "aadb"): {"w1": [0.3, 0.2], "w2": [0.4, 0.5]},
        ("flickr-aes", "aadb"): {"w1": [0.7, 0.6], "w2": [0.6, 0.7]},
    }
    return collect(make_results({(*pair, "generic", 100): people for pair, people in values.items()}))


def test_the_whole_terminal_table(small):
    assert to_terminal(collect(small)) == (
        "table: SRCC of new photos by the number of ratings per user\n"
        "\n"
        " method     source                10 shots         20 shots\n"
        " ──────────────────────────────────────────────────────────\n"
        " generic    measured here      0.350±0.024      0.350±0.024\n"
        "                            [0.250, 0.550]   [0.250, 0.500]\n"
        " my_ridge   measured here      0.350±0.024      0.600±0.000\n"
        "                            [0.200, 0.450]   [0.500, 0.750]\n"
        "\n"
        "* under a cell in brackets: bootstrap 95 % interval over users\n"
        "* measured here: mean±std over 2 repeats of the mean over 3 users, generic model and priors "
        "trained on "
        "oasis\n"
    )


def test_the_whole_wide_markdown(small):
    assert to_markdown(collect(small), wide=True) == (
        "### table: SRCC of new photos by the number of ratings per user\n"
        "\n"
        "| method | source | 10 shots | 20 shots |\n"
        "| --- | --- | ---: | ---: |\n"
        "| generic | measured here | **0.350±0.024** | 0.350±0.024 |\n"
        "| my\\_ridge | measured here | **0.350±0.024** | **0.600±0.000** |\n"
        "\n"
        "- measured here: mean±std over 2 repeats of the mean over 3 users, generic model and priors "
        "trained on "
        "oasis\n"
        "- bold: the best row in each column\n"
        "\n"
        "### table: details of the rows measured here\n"
        "\n"
        "| method | source | k | users | dropped | SRCC | 95 %, users | 95 %, users and photos | std users "
        "| PLCC | pairwise | MAE | coverage | below generic | p against generic |\n"
        f"| --- | --- |{' ---: |' * 13}\n"
        "| generic | measured here | 10 | 3 | 0 / 0 | 0.350±0.024 | \\[0.250, 0.550\\] | – | 0.173 "
        "| 0.175 | 0.675 | 0.650 | 0.800 | – | – |\n"
        "| generic | measured here | 20 | 3 | 0 / 0 | 0.350±0.024 | \\[0.250, 0.500\\] | – | 0.132 "
        "| 0.175 | 0.675 | 0.650 | 0.800 | – | – |\n"
        "| my\\_ridge | measured here | 10 | 3 | 0 / 0 | 0.350±0.024 | \\[0.200, 0.450\\] | – | 0.132 "
        "| 0.175 | 0.675 | 0.650 | 0.800 | 67 %, -0.140, -0.150 | 1.000 |\n"
        "| my\\_ridge | measured here | 20 | 3 | 0 / 0 | 0.600±0.000 | \\[0.500, 0.750\\] | – | 0.132 "
        "| 0.300 | 0.800 | 0.400 | 0.800 | 0 %, +0.250, +0.250 | 0.250 |\n"
        "\n"
        "- dropped: users / results (a user's repeat) without an SRCC; 95 %: bootstrap intervals; "
        "std users: between users; pairwise: accuracy over pairs without ties; MAE: in units of the dataset; "
        "coverage: of the predicted intervals; below generic: share of users whom the row ranks worse, the "
        "gain that one in twenty is below, the worst; p: paired Wilcoxon over users, Holm correction for all "
        "pairs of adapters\n"
    )


def test_the_whole_latex_table(small):
    assert to_latex(collect(small)) == (
        "% needs \\usepackage{booktabs}\n"
        "\\begin{table}\n"
        "\\centering\n"
        "\\caption{table: SRCC of new photos by the number of ratings per user}\n"
        "\\label{tab:table}\n"
        "\\begin{tabular}{llcc}\n"
        "\\toprule\n"
        "method & source & 10 shots & 20 shots \\\\\n"
        "\\midrule\n"
        "generic & measured here & \\textbf{0.350$\\pm$0.024} & 0.350$\\pm$0.024 \\\\\n"
        "my\\_ridge & measured here & \\textbf{0.350$\\pm$0.024} & \\textbf{0.600$\\pm$0.000} \\\\\n"
        "\\bottomrule\n"
        "\\end{tabular}\n"
        "\\par\\smallskip\n"
        "\\begin{minipage}{\\linewidth}\\footnotesize\n"
        "measured here: mean$\\pm$std over 2 repeats of the mean over 3 users, generic model and priors "
        "trained "
        "on oasis.\\par\n"
        "bold: the best row in each column.\\par\n"
        "\\end{minipage}\n"
        "\\end{table}\n"
    )


def test_intervals_over_photos_too_say_so(small):
    draws = {
        ("oasis", "table", name, k): [0.3, 0.4, 0.5] for name in ("generic", "my_ridge") for k in (10, 20)
    }
    lines = to_terminal(collect(replace(small, draws=draws)), wide=True).splitlines()
    assert lines[5].split() == ["[0.154,", "0.546]", "[0.154,", "0.546]"]
    assert (
        "* under a cell in brackets: two-way bootstrap 95 % interval over users and photos, of the level "
        "alone: rows are compared by their difference"
    ) in lines
    (row,) = [line for line in lines if line.startswith(" my_ridge") and " 20 " in line]
    assert re.search(r"\[0.500, 0.750\] +\[0.404, 0.796\]", row)


def test_the_cross_dataset_grid_has_the_layout_of_table_7(crossed):
    (grid,) = matrix_grids(crossed)
    texts = [[entry.text for entry in entries] for block in grid.blocks for entries in block]
    assert grid.title == "Across datasets: SRCC at 100 shots"
    assert grid.header == ("method", "source", "trained on", "tested on list_1", "tested on AADB")
    assert texts == [
        ["generic", "measured here", "list_1", "0.400±0.071", "0.350±0.000"],
        ["", "measured here", "FLICKR-AES", "–", "0.650±0.000"],
        ["TAPP-PIAA", "published", "FLICKR-AES", "–", "0.540"],
        ["EAT", "published", "FLICKR-AES", "–", "0.593"],
    ]
    assert grid.notes == (
        "AADB: not comparable worker for worker: the 22 test workers of the papers were never published, "
        "rows "
        "measured here test workers chosen by our own rule",
    )
    assert crossed.tables[1].cautions[0] in to_terminal(crossed).splitlines()[-1]


def test_every_row_of_every_form_says_who_measured_it(crossed):
    sources = {MEASURED, PUBLISHED}
    for grid in [*map(table_grid, crossed.tables), *map(detail_grid, crossed.tables), *matrix_grids(crossed)]:
        for block in grid.blocks:
            marks = [entries[1].text for entries in block]
            # A rule separates the two kinds.
            assert len(set(marks)) == 1
            assert set(marks) <= sources
    assert {line["source"] for line in csv.DictReader(StringIO(to_csv(crossed)))} == sources
    published = {method.name for method in published_methods("aadb")}
    for line in to_markdown(crossed).splitlines():
        if line.startswith("| ") and line.split(" | ")[0].removeprefix("| ") in published:
            assert line.split(" | ")[1] == "published"


def test_oracle_results_are_columns_of_their_own(make_results):
    scores = {"ana": [0.5, 0.4], "bo": [0.1, 0.2]}
    better = {"ana": [0.7, 0.6], "bo": [0.3, 0.4]}
    values = {("a", "table", name, 10): scores for name in ("generic", "lora")}
    report = collect(make_results(values | {("a", "table", "lora+oracle_epoch", 10): better}))
    grid = table_grid(report.tables[0])
    assert grid.header == ("method", "source", "10 shots", "10 shots, oracle_epoch")
    assert [[entry.text for entry in entries] for entries in grid.blocks[0]] == [
        ["generic", "measured here", "0.300±0.000", "–"],
        ["lora", "measured here", "0.300±0.000", "0.500±0.000"],
    ]
    assert grid.notes[-1] == (
        "oracle_epoch: the epoch was chosen on the photos that were tested; too good by construction"
    )
    assert [entry.best for entry in grid.blocks[0][1]] == [False, False, True, False]
    lines = list(csv.DictReader(StringIO(to_csv(report))))
    assert [line["oracle_epoch"] for line in lines] == ["", "0.5"]


def test_csv_reads_back_to_the_bit(crossed):
    lines = list(csv.DictReader(StringIO(to_csv(crossed))))
    assert tuple(lines[0]) == COLUMNS
    found = {(line["test"], line["train"], line["method"], int(line["k"])): line for line in lines}
    # 1 adapter on 3 pairs; 5 methods at 2 shots each on AADB; 2 published matrices with 1 pair.
    assert len(lines) == len(found) == 3 + 10 + 2
    for table in crossed.tables:
        for row in table.rows:
            for k, cell in row.cells.items():
                line = found[table.test, row.train or "", row.name, k]
                assert float(line["srcc"]) == cell.mean
                assert line["cite"] == (row.cite or "")
                if cell.detail is not None:
                    assert float(line["srcc_std"]) == cell.std
                    assert float(line["srcc_low"]) == cell.detail.srcc.low
                    assert float(line["srcc_high"]) == cell.detail.srcc.high
                    assert float(line["srcc_std_users"]) == cell.detail.srcc.std_users
                    assert [int(line[name]) for name in ("users", "repeats", "dropped_cells")] == [2, 2, 0]
                    assert line["two_way_low"] == line["below"] == ""  # no draws; the baseline itself
                    assert float(line["plcc"]) == cell.detail.others["plcc"]
                    assert float(line["mae"]) == cell.detail.others["mae"]
    assert found["aadb", "flickr-aes", "EAT", 100]["srcc"] == "0.593"
    assert found["aadb", "", "EAT", 100]["srcc_std"] == "0.005"


def test_json_holds_the_rows_and_the_results_themselves(crossed):
    content = json.loads(to_json(crossed))
    assert content["rows"] == list(rows(crossed))
    assert content["nan"] == "drop"
    assert Results.from_json(json.dumps(content["results"])) == crossed.results
    assert content["notes"]["aadb"] == [*crossed.tables[1].notes, *crossed.tables[1].cautions]


def test_undefined_numbers_are_empty_in_csv_null_in_json_and_dashes_in_text(make_results):
    nan = math.nan
    report = collect(make_results({("a", "table", "generic", 10): {"ana": [nan], "bo": [nan]}}))
    line = next(csv.DictReader(StringIO(to_csv(report))))
    assert (line["srcc"], line["srcc_std"], line["srcc_low"], line["users"]) == ("", "", "", "0")
    assert line["dropped_cells"] == "2"
    assert json.loads(to_json(report))["rows"][0]["srcc"] is None
    assert "| generic | measured here | – |" in to_markdown(report)


def test_one_repeat_has_no_std(make_results):
    report = collect(make_results({("a", "table", "generic", 10): {"ana": [0.5], "bo": [0.3]}}))
    assert table_grid(report.tables[0]).blocks[0][0][2].text == "0.400"


def test_numbers_in_text():
    assert mean_std(Cell(mean=-0.0001, std=0.0)) == "0.000±0.000"
    assert mean_std(None) == "–"
    assert interval(Cell(mean=0.5, std=0.1)) == ""
    assert number(0.0625) == "0.062"
    assert [p_text(value) for value in (0.00099, 0.001, 1.0, math.nan)] == ["<0.001", "0.001", "1.000", "–"]
    assert slug("Ana's photos / 2024") == "ana-s-photos-2024"


NASTY = "[a]*_^~|<x>{$5 & 10 %}#\\"


def test_names_are_no_markup(make_results):
    report = collect(make_results({("a", "table", NASTY, 10): {"ana": [0.5, 0.4], "bo": [0.1, 0.3]}}))
    assert f" {NASTY}   measured here" in to_terminal(report)
    latex = next(line for line in to_latex(report).splitlines() if "measured here &" in line)
    assert latex == (
        "{[}a]{*}\\_\\textasciicircum{}\\textasciitilde{}\\textbar{}\\textless{}x\\textgreater{}"
        "\\{\\$5 \\& 10 \\%\\}\\#\\textbackslash{} & measured here & \\textbf{0.325$\\pm$0.035} \\\\"
    )
    markdown = next(line for line in to_markdown(report).splitlines() if "measured here |" in line)
    assert markdown.startswith(r"| \[a\]\*\_^\~\|\<x\>{\$5 & 10 %}\#\\ | measured here")
    assert next(csv.DictReader(StringIO(to_csv(report))))["method"] == NASTY


def test_latex_is_well_formed(make_results):
    """Environments nest, braces balance, no special letter is bare, every row has every column."""
    values = {
        ("flickr-aes", "flickr-aes", name, k): {user: [0.1, 0.2] for user in TEST_WORKERS[:4]}
        for name in ("generic", NASTY)
        for k in (10, 100)
    }
    report = collect(make_results(values, query="common"))
    text = to_latex(report)
    stack = []
    for kind, name in re.findall(r"\\(begin|end)\{(\w+)\}", text):
        if kind == "begin":
            stack.append(name)
        else:
            assert stack.pop() == name
    assert stack == []
    body = text.split("\n", 1)[1]
    bare = re.sub(r"\\[{}$&#%_]", "", body)
    assert bare.count("{") == bare.count("}")
    assert bare.count("$") == 2 * bare.count(r"$\pm$")
    assert not set("#%_^~") & set(re.sub(r"~\\cite", "", bare))
    columns = re.search(r"\\begin\{tabular\}\{(\w+)\}", body)[1]
    table = bare.split(r"\toprule")[1].split(r"\bottomrule")[0]
    for line in table.splitlines():
        if line and line != r"\midrule":
            assert line.count("&") == len(columns) - 1
            assert line.endswith(r" \\")
            assert line[0] not in "[*"
    assert text.isascii()


def test_every_citation_has_its_entry(crossed):
    cited = set(re.findall(r"\\cite\{(\w+)\}", to_latex(crossed)))
    entries = re.findall(r"@misc\{(\w+),", to_bibtex(crossed))
    assert entries == sorted(cited)
    assert to_bibtex(crossed).startswith(
        "@misc{he2023eat,\n"
        "  author = {He and Ming and Zheng and Zhong and Ma},\n"
        "  title = {{EAT: An Enhancer for Aesthetics-Oriented Transformers}},\n"
        "  howpublished = {ACM International Conference on Multimedia},\n"
        "  year = {2023}\n"
        "}\n"
    )


def test_nothing_published_nothing_cited(small):
    assert to_bibtex(collect(small)) == ""
    assert "cite" not in to_latex(collect(small))


def test_escape_leaves_plain_text_alone():
    assert escape("EAT 224, 0.5") == "EAT 224, 0.5"
    assert escape("two\nlines") == "two lines"


def test_a_narrow_terminal_loses_no_digit(small):
    from rich.console import Console

    page = StringIO()
    Console(file=page, width=44, color_system=None).print(*renderables(collect(small)), sep="\n")
    assert "…" not in page.getvalue()
    digits = re.sub(r"\s", "", page.getvalue())
    assert digits.count("0.") >= 16


def test_best_rows_are_bold_on_a_terminal(small):
    from rich.console import Console

    page = StringIO()
    console = Console(file=page, width=120, force_terminal=True, color_system="standard")
    console.print(*renderables(collect(small)), sep="\n")
    assert re.findall(r"\x1b\[1m *(0\.\d+±\S+)\x1b", page.getvalue()) == ["0.350±0.024"] * 2 + ["0.600±0.000"]
    assert "bold: the best row in each column" in page.getvalue()


def test_write_report_writes_every_form(crossed, small, tmp_path):
    pytest.importorskip("matplotlib")
    pytest.importorskip("pyarrow")
    files = write_report(collect(small), tmp_path)
    assert [path.name for path in files] == [
        *("report.md", "report.tex", "report.bib", "report.csv", "report.json", "users.parquet"),
        *("shots-table.png", "shots-table.svg", "users-table.png", "users-table.svg"),
    ]
    assert sorted(tmp_path.iterdir()) == sorted(files)
    assert (tmp_path / "report.md").read_text(encoding="utf-8") == to_markdown(collect(small), wide=True)
    assert (tmp_path / "report.csv").read_text(encoding="utf-8") == to_csv(collect(small))
    read = pd.read_parquet(tmp_path / "users.parquet")
    pd.testing.assert_frame_equal(read, small.to_frame(), check_dtype=False)
    names = [path.name for path in write_report(crossed, tmp_path)]
    assert names[6:] == [
        *("users-list-1.png", "users-list-1.svg", "users-aadb.png", "users-aadb.svg"),
        *("cross-100.png", "cross-100.svg"),
    ]


def test_write_report_needs_the_folder(small, tmp_path):
    with pytest.raises(OutputError) as caught:
        write_report(collect(small), tmp_path / "absent")
    assert str(caught.value) == (
        f"cannot write '{tmp_path}/absent/report.md': the folder '{tmp_path}/absent' does not exist; "
        "create it or "
        "name a file in another folder"
    )
