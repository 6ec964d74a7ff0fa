"""Where each kind of event last stands in a log, as far as this process knows."""

from collections.abc import Collection, Mapping


class LastOfKind:
    """Knows it of what this process appended, as long as nobody else appends between.

    So that nobody asks the database after each append whether it was of a kind that is rare.
    """

    def __init__(self) -> None:
        # Changed as one: others read it while the writer notes.
        self._known: tuple[int, int, Mapping[str, int]] = (0, 0, {})

    def note(self, size: int, new_size: int, last: Mapping[str, int]) -> None:
        """Note what was appended to a log of a size: the last position of each kind."""
        since, known_size, before = self._known
        if size != known_size:
            since, before = size, {}
        self._known = since, new_size, {**before, **last}

    def has_none(self, kinds: Collection[str], after: int, up_to: int) -> bool:
        """Whether it is certain that no entry of these kinds has after < position <= up_to."""
        if after >= up_to:
            return True
        since, size, last = self._known
        return since <= after and up_to <= size and all(last.get(one, 0) <= after for one in kinds)
