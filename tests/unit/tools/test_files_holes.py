"""Ways in which the file tools could be hurt, and cannot any more."""

import random
from time import process_time

import pytest

from par.errors import CommandRefused
from par.tools._files.edits import Edit, edited


@pytest.mark.parametrize("letters", ["ab", "abc", "aaab"])
def test_looking_for_the_nearest_lines_takes_no_time_however_hostile_they_are(letters):
    chosen = random.Random(1)  # nothing secret
    lines = ["".join(chosen.choices(letters, k=199)) for _ in range(5_000)]
    started = process_time()

    with pytest.raises(CommandRefused, match="does not occur"):
        edited("\n".join(lines), [Edit(old="".join(chosen.choices(letters, k=199)), new="x")])

    assert process_time() - started < 5
