"""Which rows of every global batch a process feeds, and their place in the stream."""

import dataclasses

import tensorflow as tf


@dataclasses.dataclass(frozen=True)
class Share:
    """What one process feeds of every global batch: the rows of its replicas.

    Attributes:
        first: Int, number of its first replica among all.
        count: Int, how many it has.
        total: Int, replicas of all processes.
    """

    first: int = 0
    count: int = 1
    total: int = 1

    def rows(self, batch_size):
        """Int, the rows of one replica.

        Raises:
            ValueError: If the replicas do not divide the batch.
        """
        if batch_size % self.total:
            raise ValueError(
                f"`batch_size` must be a multiple of the {self.total} replicas, got "
                f"{batch_size}."
            )
        return batch_size // self.total

    def positions(self, batch_size, first_step, last_step):
        """`tf.data.Dataset` of the positions of its rows, step by step, int64."""
        numbers = self.numbers(batch_size, first_step, last_step)
        numbers = tf.data.Dataset.range(numbers.start, numbers.stop)
        return numbers.map(lambda number: self.position(number, batch_size))

    def numbers(self, batch_size, first_step, last_step):
        """`range` of the numbers of its rows of these steps, counted by itself."""
        rows = self.rows(batch_size) * self.count
        return range(first_step * rows, last_step * rows)

    def position(self, number, batch_size):
        """The position, among those of all processes, of a row by its own number."""
        if self.count == self.total:
            return number
        rows = self.rows(batch_size) * self.count
        start = self.first * self.rows(batch_size)
        return number // rows * batch_size + start + number % rows

    def has(self, position, batch_size):
        """Whether a position is among its rows."""
        replica = position % batch_size // self.rows(batch_size)
        return (replica >= self.first) & (replica < self.first + self.count)


WHOLE = Share()  # of the only process
