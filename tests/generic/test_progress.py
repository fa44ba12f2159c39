"""Progress where no bar can be drawn: a line a minute."""

from __future__ import annotations

from generic.progress import in_lines


class Work:
    """Work that takes as long as a test says, and the lines that it wrote."""

    def __init__(self, total: int) -> None:
        self.now, self.lines = 0.0, []
        self._report = in_lines("reading photos", total, self.lines.append, clock=lambda: self.now)

    def do(self, n: int, seconds: float) -> None:
        self.now += seconds
        self._report(n)


def test_short_work_says_nothing():
    work = Work(100)
    for _ in range(100):
        work.do(1, 0.59)
    assert work.lines == []


def test_a_line_a_minute_tells_what_is_left():
    work = Work(1200)
    for _ in range(12):
        work.do(100, 31)
    assert work.lines == [
        "reading photos: 200 of 1,200, about 5 minutes left",
        "reading photos: 400 of 1,200, about 4 minutes left",
        "reading photos: 600 of 1,200, about 3 minutes left",
        "reading photos: 800 of 1,200, about 2 minutes left",
        "reading photos: 1,000 of 1,200, about 1 minute left",
        "reading photos: 1,200 of 1,200",
    ]


def test_hours_are_hours_and_nothing_done_is_no_news():
    work = Work(300)
    work.do(0, 600)
    assert work.lines == []
    work.do(1, 0)
    work.do(1, 60)
    assert work.lines[-1] == "reading photos: 2 of 300, about 27 hours left"
    assert len(work.lines) == 2
