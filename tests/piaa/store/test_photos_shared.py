"""Several people who rate and withdraw the same few photos at once, each in a process of her own."""

from __future__ import annotations

import json
from contextlib import closing
from threading import Thread

from piaa.store.store import Store

PEOPLE, PHOTOS = ("ana", "ben", "cleo"), 6
SOURCE = f"""
    import json, random, sys
    from piaa.store.store import Store
    from sayings import by_name, photo, rated, scores
    place, user = sys.argv[1:]
    store, draw, said = Store(place), random.Random(user), {{}}
    for turn in range(60):
        numbers = draw.sample(range({PHOTOS}), 3)
        if draw.random() < 0.4:
            gone = [f"{{n}}.jpg" for n in numbers]
            store.withdraw(user, gone, by_name, source="http")
            said = {{name: score for name, score in said.items() if name not in gone}}
        else:
            # Half of the times as those know a photo who have the hash of its file alone.
            seen = [photo(n) if draw.random() < 0.5 else photo(n, identity=photo(n).sha256) for n in numbers]
            store.say(user, rated({{}}, ratings=[(one, 1 + turn % 5) for one in seen]))
            said |= {{one.image: 1 + turn % 5 for one in seen}}
    print(json.dumps(said))
    store.close()
"""


def test_nobody_stops_another_and_nothing_is_lost(place, program, sayings):
    with closing(Store(place)) as store:
        for user in PEOPLE:
            store.say(user, sayings.rated({}))
        running = [program(SOURCE, place, user) for user in PEOPLE]
        for user, process in zip(PEOPLE, running, strict=True):
            out, errors = process.communicate(timeout=120)
            assert (process.returncode, errors) == (0, ""), errors
            assert sayings.scores(store, user) == json.loads(out)
            assert store.said(user, sayings.MODEL).damaged == frozenset()
        for user in PEOPLE:
            store.delete(user, source="terminal")
        left = sayings.everything(store.database)
        assert [left[table] for table in ("photos", "file_digests", "vectors")] == [[], [], []]


def test_what_is_withdrawn_is_gone_though_another_makes_two_photos_one_meanwhile(place, sayings):
    by_file = sayings.photo(2, identity=sayings.photo(2).sha256)
    with closing(Store(place)) as store, closing(Store(place)) as other:
        store.say("ana", sayings.rated({}, ratings=[(by_file, 4)]))
        other.say("ben", sayings.rated({1: 1}))
        # Ben has the picture itself, so what was known by its file alone becomes that.
        rating = Thread(target=lambda: other.say("ben", sayings.rated({2: 5})))

        def choose(user, images, known):
            rating.start()
            rating.join(timeout=1)
            return sayings.by_name(user, images, known)

        store.withdraw("ana", ["2.jpg"], choose, source="http")
        rating.join()
        assert sayings.scores(store, "ana") == {}
        assert sayings.scores(store, "ben") == {"1.jpg": 1, "2.jpg": 5}
