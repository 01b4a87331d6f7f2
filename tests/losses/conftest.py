"""What tests of blocks of similarities look at."""

import pytest
import tensorflow as tf


@pytest.fixture
def products(monkeypatch):
    """List to which every matrix product from now on adds its number of cells."""
    matmul, products = tf.matmul, []

    def counted(a, b, **kwargs):
        product = matmul(a, b, **kwargs)
        products.append(int(tf.size(product)))
        return product

    monkeypatch.setattr(tf, "matmul", counted)
    return products
