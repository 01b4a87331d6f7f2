"""The rows of every global batch that a process feeds, and their places."""

import dataclasses

import tensorflow as tf


@dataclasses.dataclass(frozen=True)
class Share:
    """The part of every global batch that one process feeds: its replicas' rows.

    Attributes:
        first: Int, number of its first replica among all.
        count: Int, number of its replicas.
        total: Int, number of replicas of all processes.
    """

    first: int = 0
    count: int = 1
    total: int = 1

    def rows(self, batch_size):
        """Int, number of rows of one replica.

        Raises:
            ValueError: If the batch is not a multiple of the replicas.
        """
        if batch_size % self.total:
            raise ValueError(
                f"`batch_size` must be a multiple of the {self.total} replicas, got "
                f"{batch_size}."
            )
        return batch_size // self.total

    def positions(self, batch_size, first_step, last_step):
        """`tf.data.Dataset` of the positions of its rows, int64, step by step."""
        numbers = self.numbers(batch_size, first_step, last_step)
        numbers = tf.data.Dataset.range(numbers.start, numbers.stop)
        return numbers.map(lambda number: self.position(number, batch_size))

    def numbers(self, batch_size, first_step, last_step):
        """`range` of its rows in these steps, numbered within the share."""
        rows = self.rows(batch_size) * self.count
        return range(first_step * rows, last_step * rows)

    def position(self, number, batch_size):
        """The global position of a row with a number within the share."""
        if self.count == self.total:
            return number
        rows = self.rows(batch_size) * self.count
        start = self.first * self.rows(batch_size)
        return number // rows * batch_size + start + number % rows

    def has(self, position, batch_size):
        """Whether a position belongs to its rows."""
        replica = position % batch_size // self.rows(batch_size)
        return (replica >= self.first) & (replica < self.first + self.count)


WHOLE = Share()  # of the only process
