"""Measures when the batches of a training are ready."""

import tensorflow as tf


class Arrivals:
    """Tells how long a training waits for its batches."""

    def __init__(self):
        self._times = tf.queue.FIFOQueue(-1, tf.float64, [[]])

    def noted(self, batches):
        """The same batches, with a note of when each was produced."""

        def note(*batch):
            with tf.control_dependencies([self._times.enqueue(tf.timestamp())]):
                batch = tf.nest.map_structure(tf.identity, batch)
            return batch if len(batch) > 1 else batch[0]

        return batches.map(note)

    def forget(self):
        """Starts anew."""
        self._times.dequeue_many(self._times.size())

    def waited_since(self, start):
        """Seconds from a `time.time()` until the next batch was there; 0 if it was.

        Each call is about the next batch.
        """
        if not self._times.size():
            return 0.0
        return max(0.0, float(self._times.dequeue()) - start)
